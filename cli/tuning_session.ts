/**
 * Tuning from the first line that is printed to the last.
 *
 * @module
 */

import type { Device } from "../tensor/mod.ts";
import { formatBytes, formatDuration } from "../train/report_format.ts";
import { type CostsEvent, type SettingEvent, tune } from "../train/tune.ts";
import {
  recommend,
  type Recommendation,
  worthwhile,
} from "../train/tune_choice.ts";
import type { TuneSetting } from "../train/tune_setting.ts";
import {
  milliseconds,
  recommendationText,
  settingsTable,
} from "../train/tune_table.ts";
import { listenForInterruption } from "./interruption.ts";
import { describeDevice } from "./open_device.ts";
import { bold, faint, type Output } from "./output.ts";
import type { TuneValues } from "./tune_command.ts";
import type { TuneModel } from "./tune_request.ts";

/** Numbers of devices that times are modelled for. */
const devices = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** What is to be tuned, and where that is told. */
export interface TuningSession {
  /** All options. */
  readonly values: TuneValues;
  /** What is solved. */
  readonly model: TuneModel;
  /** How. */
  readonly settings: readonly TuneSetting[];
  /** Where. */
  readonly device: Device;
  /** The checkpoint's folder, if the model is from one. */
  readonly path: string | undefined;
  /** Where it is told. */
  readonly output: Output;
}

/** What `--json` prints; times are in milliseconds. */
export interface TuningSummary {
  /** Where it ran. */
  readonly device: string;
  /** Threads that shared the work. */
  readonly threads: number;
  /** How kernels were built. */
  readonly mode: string;
  /** What one layer takes, and the rest of a training step. */
  readonly costs: CostsEvent["costs"];
  /** A serial training step without its update, as the costs add up. */
  readonly serial: number;
  /** The same, measured as a whole. */
  readonly measuredSerial: number;
  /** Numbers of devices, to which the times of the settings belong. */
  readonly devices: readonly number[];
  /** Settings that weren't measured: never faster than serial training. */
  readonly slower: number;
  /** What was measured. */
  readonly settings: readonly Omit<SettingEvent, "type">[];
  /** The best for each number of devices; without a setting: serial. */
  readonly recommended: readonly Recommendation[];
  /** Whether Ctrl-C ended it before all settings were measured. */
  readonly interrupted: boolean;
}

/** Measures, and prints what is found. */
export async function tuneAndTell(
  session: TuningSession,
): Promise<TuningSummary | undefined> {
  const { values, model, settings, device, output } = session;
  writeIntroduction(session);
  const measured: SettingEvent[] = [];
  let costs: CostsEvent | undefined;
  const progress = createProgress(output);
  using interruption = listenForInterruption(() => {
    progress.end();
    output.write("Stopping; again to stop at once.\n");
  });
  const { task, parameters } = model;
  const events = tune(task, parameters, {
    settings,
    batches: values.batches,
    devices,
    communication: messageMilliseconds(session),
  });
  for await (const event of events) {
    if (event.type === "costs") {
      costs = event;
      writeCosts(output, costs);
    } else {
      measured.push(event);
    }
    if (interruption.signal.aborted || output.isClosed()) break;
    progress.update(measured.length, costs!.settings);
  }
  progress.end();
  if (costs === undefined) return undefined;
  const { serial, measuredSerial, slower } = costs;
  const recommended = recommend(measured, serial, devices, values.cosine);
  writeResults(session, costs, measured, recommended);
  return {
    device: device.name,
    threads: device.threads,
    mode: device.mode,
    costs: costs.costs,
    serial,
    measuredSerial,
    devices,
    slower,
    settings: measured.map(({ type: _, ...rest }) => rest),
    recommended,
    interrupted: measured.length < costs.settings,
  };
}

/** Bytes of a state of the block. */
function stateBytes({ configuration, task }: TuneModel): number {
  return task.tokensPerBatch * configuration.width *
    Float32Array.BYTES_PER_ELEMENT;
}

/** A message is a state. */
function messageMilliseconds(
  { values: { latency, bandwidth }, model }: TuningSession,
): number {
  return latency / 1e3 + stateBytes(model) / (bandwidth * 1e6);
}

function writeIntroduction(session: TuningSession): void {
  const { values, model, device, path, output } = session;
  const { before, layers, after, width, heads, endTime } = model.configuration;
  const stacks = [before, layers, after].filter((count) => count > 0);
  const { latency, bandwidth, batch, seq } = values;
  writeLines(output, [
    [
      "model",
      `GPT, layers ${stacks.join(" + ")}, width ${width}, heads ${heads}, ` +
      `h ${Number((endTime / layers).toPrecision(3))}; ` +
      (path ?? "new: its gradients say little of a trained one's (--from)"),
    ],
    ["batch", `${batch} sequences of ${seq} tokens`],
    ["device", describeDevice(device)],
    [
      "message",
      `${milliseconds(messageMilliseconds(session))} ms: ` +
      `${formatBytes(stateBytes(model))} at ${bandwidth} GB/s after ` +
      `${latency} µs`,
    ],
  ]);
}

function writeCosts(
  output: Output,
  { costs, serial, measuredSerial, settings, slower }: CostsEvent,
): void {
  const { forward, stateVjp, fullVjp, rest } = costs;
  const time = (value: number): string => `${milliseconds(value)} ms`;
  writeLines(output, [
    [
      "layer",
      `forward ${time(forward)}; backward ${time(stateVjp)}, with its ` +
      `parameters' gradients ${time(fullVjp)}`,
    ],
    [
      "serial",
      `${time(serial)} a training step without its update, ${time(rest)} of ` +
      `it outside the block; measured ${time(measuredSerial)}`,
    ],
    [
      "compare",
      `${settings} settings; ${slower} more would be slower than serial on ` +
      `any number of devices`,
    ],
  ]);
}

function writeLines(
  output: Output,
  lines: readonly (readonly [name: string, value: string])[],
): void {
  for (const [name, value] of lines) {
    output.write(`${faint(output, name.padEnd(9))}${value}\n`);
  }
}

function writeResults(
  { values, output }: TuningSession,
  { serial, measuredSerial, settings }: CostsEvent,
  measured: readonly SettingEvent[],
  recommended: readonly Recommendation[],
): void {
  if (measured.length < settings) {
    output.write(`Stopped after ${measured.length} of ${settings} settings.\n`);
  }
  if (measured.length > 0) {
    const shown = values.all ? measured : worthwhile(measured);
    const table = settingsTable(shown, {
      serial,
      measuredSerial,
      devices,
      smallestCosine: values.cosine,
    });
    const hidden = measured.length - shown.length;
    const title = "Milliseconds of a training step, modelled, by devices";
    output.write(`\n${bold(output, title)}\n${table}\n${legend}`);
    if (hidden > 0) {
      output.write(
        `Left out: ${hidden} that nothing speaks for; --all shows them.\n`,
      );
    }
  }
  const title = `Fastest with a cosine of at least ${values.cosine}, modelled`;
  output.write(
    `\n${bold(output, title)}\n${recommendationText(recommended)}\n`,
  );
}

/** What the columns say. */
const legend =
  "cosine, error: of the block's gradient against the serial one; worst: the " +
  "worst layer's cosine;\nρ: ratio of residuals at twice the iterations; " +
  "here: measured on this device\n";

const plainMilliseconds = 10_000;

/** A line that tells how far measuring is. */
function createProgress(
  { write, columns }: Output,
): { update: (done: number, total: number) => void; end: () => void } {
  const begun = performance.now();
  let shown = begun;
  let isOpen = false;
  const end = (): void => {
    if (isOpen) write("\r\x1b[K");
    isOpen = false;
  };
  const update = (done: number, total: number): void => {
    const now = performance.now();
    if (columns === undefined && now - shown < plainMilliseconds) return;
    shown = now;
    const left = (now - begun) / done * (total - done) / 1000;
    const line = `settings ${done}/${total}` +
      (done === 0 ? "" : `   left ${formatDuration(left)}`);
    write(columns === undefined ? `${line}\n` : `\r${line}\x1b[K`);
    isOpen = columns !== undefined;
  };
  return { update, end };
}
