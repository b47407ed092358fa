/**
 * The part of a report that tells of multigrid over the layers.
 *
 * @module
 */

import {
  type ControlOptions,
  defaultMultigrid,
  type Direction,
  directions,
  type DirectionState,
  type MultigridOptions,
  type Sweep,
} from "../mgrit/mod.ts";
import { cyclePicture, cycleWords } from "./cycle_picture.ts";
import type { ProbeEvent, SwitchEvent, TrainingEvent } from "./event.ts";
import { type History, history } from "./history.ts";
import { modeBands, type Segment } from "./report_bands.ts";
import { count, decimals, escapeHtml } from "./report_format.ts";
import {
  directionClass,
  gradientCharts,
  layerMap,
  ratioChart,
  residualCharts,
} from "./report_probes.ts";
import { modeWords, solverWords, switchWords } from "./report_words.ts";
import type { SolverDescription } from "./solver.ts";

/**
 * HTML on how a run's layers were solved; empty if always one after the other.
 *
 * @param events The events of all sessions of the run, in order.
 */
export function solverSection(events: readonly TrainingEvent[]): string {
  const run = history(events);
  const solver = events.filter((event) => event.type === "start")
    .findLast(({ solver }) => solver !== undefined)?.solver;
  if (solver === undefined) return "";
  const modes: Modes = {
    forward: modesOf(events, "forward"),
    backward: modesOf(events, "backward"),
  };
  const { probes } = run;
  const probed = {
    probes,
    control: solver.control,
    last: run.steps.at(-1)?.step ?? 0,
  };
  return `<h2>Multigrid over the layers</h2>
<p>Solver: ${escapeHtml(solverWords(solver))}.</p>
${directions.map((direction) => cycle(modes, solver, direction)).join("\n")}
<h2>Accuracy of the solver</h2>
${modeChart(modes, probed.last)}
${switches(run, controlsOf(events))}
${
    probes.length === 0 ? `<p>No probe was made.</p>` : [
      ratioChart(probed),
      gradientCharts(probed),
      layerMap(probes),
      residualCharts(probes),
      `<h2>Time of a probe by phase</h2>`,
      phaseTimes(probes),
    ].join("\n")
  }`;
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** How a direction was solved, and after which step that began. */
interface Mode {
  readonly since: number;
  readonly state: DirectionState;
}

type Modes = Readonly<Record<Direction, readonly Mode[]>>;

/** What a direction went through. */
function modesOf(
  events: readonly TrainingEvent[],
  direction: Direction,
): Mode[] {
  const modes: Mode[] = [];
  const begin = (since: number, state: DirectionState): void => {
    // What a run that goes on has undone, or has before it takes a step.
    while (modes.length > 0 && modes.at(-1)!.since >= since) modes.pop();
    const last = modes.at(-1);
    if (last && modeWords(last.state) === modeWords(state)) return;
    modes.push({ since, state });
  };
  for (const event of events) {
    if (event.type === "start") {
      begin(event.step, event.solver?.state[direction] ?? serial);
    }
    if (event.type === "switch" && event.direction === direction) {
      begin(event.step, event.to);
    }
  }
  return modes;
}

const serial: DirectionState = { serial: true, iterations: 0, misses: 0 };

/** Whatever multigrid would start from means nothing to a serial direction. */
const serialMarch: MultigridOptions<never> = {
  ...defaultMultigrid,
  levels: 1,
};

/** The cycle that a direction began with. */
function cycle(
  modes: Modes,
  solver: SolverDescription,
  direction: Direction,
): string {
  const state = modes[direction].map(({ state }) => state)
    .find(({ serial }) => !serial) ?? serial;
  const picture = {
    id: `cycle-${direction}`,
    direction,
    layers: solver.layers,
    options: state.serial
      ? serialMarch
      : { ...solver[direction], iterations: state.iterations },
  };
  return `<figure class="wide"><div class="scroll">${
    cyclePicture(picture)
  }</div><figcaption>${cycleWords(picture)}</figcaption></figure>`;
}

function modeChart(modes: Modes, last: number): string {
  const bands = directions.map((direction) => {
    const own = modes[direction];
    const most = Math.max(...own.map(({ state }) => state.iterations), 1);
    return {
      label: direction,
      class: directionClass[direction],
      segments: own.map(({ since, state }, i): Segment => ({
        from: since,
        to: own[i + 1]?.since ?? last,
        text: modeWords(state),
        strength: state.serial ? 0 : 0.2 + 0.5 * state.iterations / most,
      })),
    };
  });
  return `<figure><h3>How each direction was solved, by step</h3>${
    modeBands(bands, last)
  }</figure>`;
}

/** The limits that held when each switch was made. */
function controlsOf(
  events: readonly TrainingEvent[],
): Map<SwitchEvent, ControlOptions | undefined> {
  const controls = new Map<SwitchEvent, ControlOptions | undefined>();
  let control: ControlOptions | undefined;
  for (const event of events) {
    if (event.type === "start") control = event.solver?.control;
    if (event.type === "switch") controls.set(event, control);
  }
  return controls;
}

function switches(
  run: History,
  controls: ReadonlyMap<SwitchEvent, ControlOptions | undefined>,
): string {
  if (run.switches.length === 0) return "";
  const lines = run.switches.map((event) => {
    const probe = run.probes.find(({ step }) => step === event.step);
    return `<li>After step ${count(event.step)}: ${
      escapeHtml(switchWords(event, probe, controls.get(event)))
    }.</li>`;
  });
  return `<ul>${lines.join("")}</ul>`;
}

/** A table of what probes spent where, on average, with bars. */
function phaseTimes(probes: readonly ProbeEvent[]): string {
  const parts = directions.map((direction) => ({
    direction,
    phases: meanSweeps(probes.flatMap((probe) => probe[direction] ?? [])),
  }));
  const longest = Math.max(
    ...parts.flatMap(({ phases }) =>
      phases.map(({ milliseconds }) => milliseconds)
    ),
  );
  const bodies = parts.filter(({ phases }) => phases.length > 0)
    .map(({ direction, phases }) =>
      `<tbody><tr><th scope="rowgroup" colspan="4">${
        upperFirst(direction)
      }</th></tr>${
        phases.map(({ level, kind, milliseconds, steps }) =>
          `<tr><th scope="row">${kind}, level ${level}</th><td class="bar"><svg class="chart" aria-hidden="true" width="100%" height="10"><rect class="${
            directionClass[direction]
          }" width="${
            decimals(100 * milliseconds / Math.max(longest, 1e-9), 1)
          }%" height="10" rx="2"/></svg></td><td class="number">${
            decimals(milliseconds, 1)
          } ms</td><td class="number">${count(steps)} steps</td></tr>`
        ).join("")
      }</tbody>`
    );
  return `<table class="phases">${bodies.join("")}</table>`;
}

/** Means of sweeps of the same kind on the same level over several probes. */
function meanSweeps(
  probes: readonly { readonly sweeps: readonly Sweep[] }[],
): Sweep[] {
  const groups = Map.groupBy(
    probes.flatMap(({ sweeps }) => sweeps),
    ({ level, kind }) => `${level} ${kind}`,
  );
  const mean = (
    group: readonly Sweep[],
    field: "steps" | "milliseconds" | "launches",
  ): number =>
    group.reduce((sum, sweep) => sum + sweep[field], 0) / probes.length;
  return [...groups.values()].map((group) => ({
    level: group[0].level,
    kind: group[0].kind,
    steps: mean(group, "steps"),
    milliseconds: mean(group, "milliseconds"),
    launches: mean(group, "launches"),
  }));
}
