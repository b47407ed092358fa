/**
 * `deno task devices`: lists what this machine can compute on.
 *
 * @module
 */

import {
  type AdapterDescription,
  automaticDevice,
  listAdapters,
} from "../tensor/mod.ts";
import { devicesCommand } from "./devices_command.ts";
import { runCommand } from "./failure.ts";
import { helpText } from "./help.ts";
import { describeDevice, openDevice } from "./open_device.ts";
import { bold, faint, openOutput } from "./output.ts";
import { completeOptions, parseArguments } from "./parse.ts";

/** What `--json` prints. */
export interface DeviceList {
  /** The CPU: how kernels are built, and threads. */
  readonly wasm: { readonly mode: string; readonly threads: number };
  /** What the platform shows, the one that it prefers first. */
  readonly adapters: readonly AdapterDescription[];
  /** What `--device auto` takes. */
  readonly auto: "webgpu" | "wasm";
}

async function main(args: readonly string[]): Promise<number> {
  const given = parseArguments(devicesCommand, args);
  const { help, json } = completeOptions(devicesCommand, given);
  const output = openOutput("stdout");
  if (help) {
    output.write(`${helpText(devicesCommand)}\n`);
    return 0;
  }
  const wasm = await openDevice({ device: "wasm", threads: undefined });
  const { mode, threads } = wasm;
  const adapters = await listAdapters();
  const auto = automaticDevice(adapters);
  const list: DeviceList = { wasm: { mode, threads }, adapters, auto };
  if (json) {
    output.write(`${JSON.stringify(list)}\n`);
  } else {
    const tell = (name: string, value: string): void =>
      output.write(`${bold(output, name.padEnd(11))}${value}\n`);
    const note = (value: string): void =>
      output.write(`${faint(output, "".padEnd(11) + value)}\n`);
    tell("wasm", describeDevice(wasm).replace(/^wasm, /, ""));
    for (const adapter of adapters) {
      tell("webgpu", adapterWords(adapter));
      note(`features: ${adapter.features.join(", ") || "none"}`);
      for (const line of limitLines(adapter)) note(line);
    }
    if (adapters.length === 0) tell("webgpu", "no graphics adapter");
    tell("reference", "plain loops, for checking numbers");
    tell("auto", autoWords(list));
  }
  wasm.close();
  return 0;
}

/** Such as `AMD Radeon (radv), vendor 4098, …: a GPU`. */
function adapterWords(
  { name, vendor, architecture, software }: AdapterDescription,
): string {
  const origin = [
    vendor && `vendor ${vendor}`,
    architecture,
    software ? "a CPU in the part of a GPU" : "a GPU",
  ];
  return `${name} (${origin.filter((part) => part !== "").join(", ")})`;
}

function limitLines({ limits }: AdapterDescription): string[] {
  return Object.entries(limits).map(([name, value]) =>
    `${name}: ${value.toLocaleString("en")}`
  );
}

function autoWords({ adapters, auto }: DeviceList): string {
  if (auto === "webgpu") return "webgpu";
  return adapters.length === 0
    ? "wasm, for there is no graphics adapter"
    : "wasm, for no graphics adapter is a real GPU";
}

if (import.meta.main) await runCommand("devices", () => main(Deno.args));
