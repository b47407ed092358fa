/**
 * The solver of a run, its probes and its switches in words.
 *
 * @module
 */

import {
  type ControlOptions,
  type ControlState,
  type Direction,
  directions,
  type DirectionState,
  type MultigridOptions,
} from "../mgrit/mod.ts";
import { ofLevel } from "../mgrit/hierarchy.ts";
import { isExact } from "../mgrit/multigrid.ts";
import type { ProbeEvent, SwitchEvent } from "./event.ts";
import { short } from "./report_format.ts";
import type { SolverDescription } from "./solver.ts";

/** How a direction is solved: `2 iterations` or `serial`. */
export function modeWords({ serial, iterations }: DirectionState): string {
  return serial
    ? "serial"
    : `${iterations} iteration${iterations === 1 ? "" : "s"}`;
}

/** How both directions are solved, forward first: `2/1`, `serial/1`. */
export function shortMode(state: ControlState): string {
  return directions.map((direction) => {
    const { serial, iterations } = state[direction];
    return serial ? "serial" : iterations;
  }).join("/");
}

const guesses: Readonly<Record<string, string>> = {
  input: "from the input",
  zero: "from zero",
  skip: "from a coarse solve",
  nested: "from a nested iteration",
  previous: "from the last batch's states",
};

/** What iterations begin with. */
export function guessWords({ guess }: MultigridOptions<never>): string {
  return guesses[String(guess)] ?? "from a given guess";
}

/** Of each level but the coarsest: `F-relaxation`, `F-, FCF-relaxation`. */
function relaxationWords(
  { levels, relaxation }: MultigridOptions<never>,
): string {
  const kinds = Array.from(
    { length: levels - 1 },
    (_, level) => ofLevel(relaxation, level),
  );
  return `${kinds.join("-, ")}-relaxation`;
}

/** A solver in a line, such as `mgrit, 2 levels, coarsening 4, …`. */
export function solverWords(solver: SolverDescription): string {
  const { state, execution, control } = solver;
  const parallel = directions.filter((direction) =>
    solver[direction].levels > 1
  );
  const first = solver[parallel[0]];
  const levels = new Set(parallel.map((direction) => solver[direction].levels));
  const parts = [
    "mgrit",
    levels.size === 1
      ? `${first.levels} levels`
      : `${solver.forward.levels} levels forward, ` +
        `${solver.backward.levels} backward`,
    `coarsening ${first.coarsening}`,
    ...directions.map((direction) =>
      `${modeWords(state[direction])} ${direction}`
    ),
    relaxationWords(deepest(solver)),
    ...(first.cycle === "F" ? ["F-cycles"] : []),
    guessWords(first),
    ...(execution === "stacked" ? ["stacked"] : []),
  ];
  return [
    parts.join(", "),
    ...(isExactNow(solver) ? [`exact for ${solver.layers} layers`] : []),
    control === undefined ? "no probes" : `probe every ${control.interval}`,
  ].join("; ");
}

/** Whether iterations are so many for the layers that nothing is approximate. */
function isExactNow({ layers, state, ...options }: SolverDescription): boolean {
  const iterated = directions.filter((direction) => !state[direction].serial);
  return iterated.length > 0 && iterated.every((direction) => {
    const { iterations } = state[direction];
    return isExact(layers, { ...options[direction], iterations });
  });
}

/** The direction with more levels. */
function deepest(
  { forward, backward }: SolverDescription,
): MultigridOptions<never> {
  return forward.levels > backward.levels ? forward : backward;
}

/** What a probe found: `ρ 0.04 forward, 0.3 backward; …`. */
export function probeWords(probe: ProbeEvent): string {
  const ratios = directions
    .filter((direction) => probe[direction] !== undefined)
    .map((direction) => `${ratioWords(probe, direction)} ${direction}`);
  const { gradient } = probe;
  return [
    ...(ratios.length === 0 ? [] : [`ρ ${ratios.join(", ")}`]),
    ...(gradient === undefined ? [] : [
      `gradient cosine ${cosineWords(gradient.cosine)}, ` +
      `error ${percent(gradient.relativeError)}`,
    ]),
  ].join("; ");
}

/** ρ of a direction; `–` where there is none to speak of. */
export function ratioWords(probe: ProbeEvent, direction: Direction): string {
  const ratio = probe[direction]?.ratio;
  return ratio === undefined || !Number.isFinite(ratio) ? "–" : short(ratio);
}

/** What a switch changes, and why: `backward 1 → 2 iterations (…)`. */
export function switchWords(
  event: SwitchEvent,
  probe: ProbeEvent | undefined,
  control: ControlOptions | undefined,
): string {
  const { direction, from, to } = event;
  const before = from.serial || to.serial
    ? modeWords(from)
    : String(from.iterations);
  return `${direction} ${before} → ${modeWords(to)} (${
    reasonWords(event, probe, control)
  })`;
}

function reasonWords(
  { reason, direction }: SwitchEvent,
  probe: ProbeEvent | undefined,
  control: ControlOptions | undefined,
): string {
  const limit = (sign: string, value: number | undefined): string =>
    value === undefined ? "" : ` ${sign} ${value}`;
  const ratio = probe === undefined ? "" : ` ${ratioWords(probe, direction)}`;
  switch (reason) {
    case "ratio":
      return `ρ${ratio}${limit("≥", control?.largestRatio)}`;
    case "gradient":
      return `gradient cosine${
        probe?.gradient === undefined
          ? ""
          : ` ${cosineWords(probe.gradient.cosine)}`
      }${limit("<", control?.smallestCosine)}`;
    case "recovered":
      return `ρ${ratio}${limit("<", control?.wayBack)}`;
    case "non-finite":
      return "numbers that aren't finite";
  }
}

function percent(share: number): string {
  return share < 1e-4 ? "below 0.01 %" : `${short(100 * share)} %`;
}

/** A cosine, with enough digits to tell it from 1. */
function cosineWords(cosine: number): string {
  return String(Number(cosine.toFixed(cosine > 0.99 ? 5 : 3)));
}
