/**
 * Probes: what a training step measures of multigrid's accuracy beside its
 * gradient.
 *
 * @module
 */

import { valueAndGrad } from "../autograd/mod.ts";
import {
  compareGradients,
  comparesGradients,
  type ControlState,
  currentIterations,
  type Direction,
  type DirectionIterations,
  type DirectionProbe,
  directionProbe,
  directions,
  type GradientProbe,
  isFiniteProbe,
  iterationsOf,
  type Probe,
  probeIsDue,
  probeIterations,
  SolveMemory,
  type SolveOptions,
  type SolveReport,
  triedDirections,
} from "../mgrit/mod.ts";
import { dispose, leaves, mapTree, type Tree } from "../tensor/internal.ts";
import {
  type CompleteTrainingSolver,
  configuredIterations,
  solveOptions,
} from "./solver.ts";
import type { TrainingTask } from "./task.ts";

/** What a probe found. */
export interface Findings {
  /** For control and the record. */
  readonly probe: Probe;
  /** Whether all numbers of the passes that training uses are finite. */
  readonly finite: boolean;
  /** Time that the probe took beside the step's own solves. */
  readonly milliseconds: number;
}

/** A probe in a step that is being computed. */
export interface RunningProbe<P extends Tree> extends Disposable {
  /** For the step's first batch, whose gradient is used. */
  readonly first: SolveOptions<never>;
  /** For its further batches. */
  readonly further: SolveOptions<never>;
  /** Measures, given the gradient of the first batch, which it leaves alone. */
  readonly measure: (gradient: P) => void;
  /** What it found, once everything could be read. */
  readonly findings: () => Promise<Findings>;
}

/** What a probe looks at. */
export interface ProbeSubject<P extends Tree> {
  /** What is trained. */
  readonly task: TrainingTask<P>;
  /** How. */
  readonly solver: CompleteTrainingSolver;
  /** How the directions are solved now. */
  readonly control: ControlState;
  /** What solves start from, if they need to know. */
  readonly memory: SolveMemory<never> | undefined;
  /** Where the model stands. */
  readonly parameters: P;
  /** Number of the step's first batch. */
  readonly batch: number;
}

/** Whether a step, which counts from 0, is a probe. */
export function isProbe(
  step: number,
  { solver, control }: Pick<ProbeSubject<Tree>, "solver" | "control">,
): boolean {
  const configured = configuredIterations(solver);
  return solver.control !== undefined &&
    probeIsDue(solver.control, control, configured, step);
}

/**
 * Begins a probe. The step's own gradient is the one of doubled iterations, so
 * that no work is wasted.
 */
export function startProbe<P extends Tree>(
  subject: ProbeSubject<P>,
): RunningProbe<P> {
  const { solver, memory, parameters } = subject;
  const plan = planOf(subject);
  const { reports, onSolve } = listener();
  const remembered = memory && copyOf(memory);
  let trials: Trials = { reports: {} };
  let milliseconds = 0;
  return {
    first: solveOptions(solver, plan.reference, memory, onSolve),
    further: solveOptions(solver, plan.reference, memory),
    measure: (better) => {
      const begun = performance.now();
      trials = tryOthers(subject, plan, remembered, better);
      milliseconds = performance.now() - begun;
    },
    findings: async () => {
      const { device: { floatDtype } } = leaves(parameters)[0];
      const found = await findingsOf(plan, reports, trials, floatDtype);
      return { ...found, milliseconds };
    },
    [Symbol.dispose]: () => remembered?.[Symbol.dispose](),
  };
}

/** The solves of a probe. */
interface Plan {
  /** Whose gradient training uses: doubled iterations, or serial. */
  readonly reference: DirectionIterations;
  /** What the batches between probes do; absent: it isn't compared. */
  readonly current?: DirectionIterations;
  /** Serial directions that multigrid could solve again: their K. */
  readonly tried: DirectionIterations;
}

function planOf(
  { solver, control }: Pick<ProbeSubject<Tree>, "solver" | "control">,
): Plan {
  const options = solver.control!;
  const current = currentIterations(control);
  const configured = configuredIterations(solver);
  const tried = triedDirections(options, control, configured);
  return {
    reference: doubled(solver, current),
    tried: iterationsOf((direction) =>
      tried.includes(direction) ? configured[direction] : undefined
    ),
    ...(comparesGradients(options.indicator) &&
      Object.keys(current).length > 0 && { current }),
  };
}

type Reports = Partial<Record<Direction, SolveReport>>;

/** What the solves beside the reference measured. */
interface Trials {
  /** Of directions that were tried, with doubled iterations. */
  readonly reports: Reports;
  /** Their gradients. */
  readonly gradients?: Partial<Record<Direction, Promise<GradientProbe>>>;
  /** The gradient of the current iterations. */
  readonly current?: Promise<GradientProbe>;
}

/** All solves start from the same states, as the reference did. */
function tryOthers<P extends Tree>(
  { task, solver, parameters, batch }: ProbeSubject<P>,
  { reference, current, tried }: Plan,
  remembered: SolveMemory<never> | undefined,
  better: P,
): Trials {
  const { parameters: block, sections } = task.block!;
  // Of a frozen block there is no gradient to compare.
  const comparable = leaves(block(better)).length > 0;
  const lossAndGradient = valueAndGrad(task.loss);
  const gradientAt = (
    iterations: DirectionIterations,
    onSolve?: SolveOptions<never>["onSolve"],
  ): P => {
    using memory = remembered && copyOf(remembered);
    const options = solveOptions(solver, iterations, memory, onSolve);
    const { value, gradient } = lossAndGradient(parameters, batch, options);
    value.dispose();
    return gradient;
  };
  const compare = (iterations: DirectionIterations): Promise<GradientProbe> => {
    const gradient = gradientAt(iterations);
    const comparison = compareGradients(
      block(gradient),
      block(better),
      sections,
    );
    dispose(gradient);
    // Whoever waits for it hears of faults; until then nobody does.
    comparison.catch(() => {});
    return comparison;
  };
  const reports: Reports = {};
  const gradients: Trials["gradients"] = {};
  for (const direction of directions) {
    const iterations = tried[direction];
    if (iterations === undefined) continue;
    const trial = { [direction]: iterations };
    const attempt = listener();
    const twice = { ...reference, ...doubled(solver, trial) };
    dispose(gradientAt(twice, attempt.onSolve));
    reports[direction] = attempt.reports[direction];
    if (comparable) gradients[direction] = compare({ ...reference, ...trial });
  }
  return {
    reports,
    gradients,
    ...(comparable && current && { current: compare(current) }),
  };
}

async function findingsOf(
  { reference }: Plan,
  reports: Reports,
  trials: Trials,
  dtype: "f32" | "f64",
): Promise<Omit<Findings, "milliseconds">> {
  const found: Partial<Record<Direction, DirectionProbe>> = {};
  let finite = true;
  for (const direction of directions) {
    const used = reference[direction] !== undefined;
    const report = (used ? reports : trials.reports)[direction];
    if (report === undefined) continue;
    const gradient = await trials.gradients?.[direction];
    const probe = {
      ...await directionProbe(report, dtype),
      ...(gradient && { gradient }),
    };
    // A failed trial says nothing of the passes that training uses.
    if (isFiniteProbe(probe)) found[direction] = probe;
    else if (used) finite = false;
  }
  const gradient = await trials.current;
  return {
    probe: { ...found, ...(gradient && { gradient }) },
    finite: finite && Number.isFinite(gradient?.cosine ?? 0),
  };
}

function doubled(
  solver: CompleteTrainingSolver,
  iterations: DirectionIterations,
): DirectionIterations {
  return iterationsOf((direction) => {
    const count = iterations[direction];
    return count === undefined
      ? undefined
      : probeIterations(count, solver[direction].guess);
  });
}

/** Keeps the first report of each direction. */
function listener(): {
  reports: Reports;
  onSolve: (report: SolveReport) => void;
} {
  const reports: Reports = {};
  return {
    reports,
    onSolve: (report) => reports[report.direction] ??= report,
  };
}

/** A memory of its own with the same states, which are shared. */
function copyOf(memory: SolveMemory<never>): SolveMemory<never> {
  const copy = new SolveMemory<never>();
  for (const direction of directions) {
    const remembered = memory[direction];
    copy.remember(
      direction,
      remembered && {
        points: remembered.points,
        states: remembered.states.map((state) =>
          mapTree((x) => x.retain(), state)
        ),
      },
    );
  }
  return copy;
}
