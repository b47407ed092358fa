/**
 * Tuning's results as text.
 *
 * @module
 */

import type { SettingEvent } from "./tune.ts";
import { ranked, type Recommendation, trainArguments } from "./tune_choice.ts";
import type { TuneSetting } from "./tune_setting.ts";

/** What a table shows. */
export interface TuneTableOptions {
  /** Milliseconds of a serial training step. */
  readonly serial: number;
  /** The same, measured as a whole. */
  readonly measuredSerial: number;
  /** As given to `tune`. */
  readonly devices: readonly number[];
  /** Settings below it come last. */
  readonly smallestCosine: number;
}

/** A column: what stands above it, and the text of each row. */
type Column = readonly [heading: string, cell: (row: SettingEvent) => string];

/** All settings with their modelled times, the best first. */
export function settingsTable(
  measured: readonly SettingEvent[],
  options: TuneTableOptions,
): string {
  const { serial, measuredSerial, devices, smallestCosine } = options;
  const times: Column[] = helpfulDevices(measured, devices).map((count) => {
    const i = devices.indexOf(count);
    return [String(count), ({ times }) => milliseconds(times[i])];
  });
  const columns: Column[] = [
    ["levels", ({ setting }) => String(setting.levels)],
    ["c", ({ setting }) => String(setting.coarsening)],
    ["relax", ({ setting }) => setting.relaxation],
    ["guess", ({ setting }) => setting.guess],
    ["iterations", ({ setting }) => iterations(setting)],
    ["cosine", ({ cosine }) => fixed(cosine, 4)],
    ["worst", ({ worstLayer }) => fixed(worstLayer, 3)],
    ["error", ({ relativeError }) => significant(relativeError, 2)],
    ["ρ fwd", ({ ratio }) => significant(ratio.forward, 2)],
    ["ρ bwd", ({ ratio }) => significant(ratio.backward, 2)],
    ["here", (row) => milliseconds(row.milliseconds)],
    ...times,
  ];
  const isAccurate = ({ cosine }: SettingEvent): boolean =>
    cosine >= smallestCosine;
  const rows = ranked(measured, smallestCosine);
  const cells = rows.map((row) => columns.map(([, cell]) => cell(row)));
  const headings = columns.map(([heading]) => heading);
  const blank = columns.length - times.length - 2;
  const serialCells = [
    "serial",
    ...new Array<string>(blank).fill(""),
    milliseconds(measuredSerial),
    ...times.map(() => milliseconds(serial)),
  ];
  const lines = aligned([headings, serialCells, ...cells]);
  const accurate = rows.filter(isAccurate).length;
  const [heading, serialLine, ...others] = lines;
  return [
    heading,
    serialLine,
    ...others.slice(0, accurate),
    ...(accurate === rows.length ? [] : [`below cosine ${smallestCosine}:`]),
    ...others.slice(accurate),
  ].join("\n");
}

/** Up to the number of devices beyond which no setting gets faster. */
function helpfulDevices(
  measured: readonly SettingEvent[],
  devices: readonly number[],
): number[] {
  const last = devices.findLastIndex((_, i) =>
    i === 0 ||
    measured.some(({ times }) => times[i] < Math.min(...times.slice(0, i)))
  );
  return devices.slice(0, last + 1);
}

/** The recommendations, with the call that follows them. */
export function recommendationText(
  recommendations: readonly Recommendation[],
): string {
  const same = (a: Recommendation, b: Recommendation): boolean =>
    a.setting === b.setting && a.milliseconds === b.milliseconds;
  const firsts = recommendations.filter((one, i) =>
    i === 0 || !same(one, recommendations[i - 1])
  );
  const lines = aligned([
    ["devices", "ms", "speed-up", "cosine"],
    ...firsts.map((one) => [
      String(one.devices) + (one === firsts.at(-1) ? " +" : ""),
      milliseconds(one.milliseconds),
      one.speedUp.toFixed(2),
      fixed(one.cosine, 4),
    ]),
  ]);
  return lines.map((line, i) => {
    if (i === 0) return `${line}  options of train`;
    const { setting } = firsts[i - 1];
    return `${line}  ${
      setting === undefined ? "--solver serial" : trainArguments(setting)
    }`;
  }).join("\n");
}

/** Columns flush right, two spaces apart. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, i) =>
    Math.max(...rows.map((row) => row[i].length))
  );
  return rows.map((row) =>
    row.map((cell, i) => cell.padStart(widths[i])).join("  ").trimEnd()
  );
}

function iterations({ forward, backward }: TuneSetting): string {
  return `${forward}/${backward}`;
}

function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}

function significant(value: number | undefined, digits: number): string {
  if (value === undefined || !Number.isFinite(value)) return "–";
  return value === 0 ? "0" : value.toPrecision(digits);
}

/** Milliseconds with three digits. */
export function milliseconds(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
