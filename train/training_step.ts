/**
 * Steps of a training run: launched one after the other without a look at their
 * numbers, or looked at before the update where something hangs on it.
 *
 * @module
 */

import {
  abandon,
  currentIterations,
  decide,
  type Decision,
} from "../mgrit/mod.ts";
import {
  dispose,
  leaves,
  type Tensor,
  tensor,
  type Tree,
  withoutScope,
} from "../tensor/internal.ts";
import type { StepEvent, TrainingEvent } from "./event.ts";
import {
  type LossScale,
  nextScale,
  scaledTask,
  smallerScale,
} from "./loss_scale.ts";
import { firstNonFinite, NonFiniteError } from "./non_finite.ts";
import { isProbe, startProbe } from "./probing.ts";
import type { Standing } from "./standing.ts";
import { configuredIterations, solveOptions } from "./solver.ts";
import {
  readNumbers,
  type StepBatches,
  type StepGradient,
  stepGradient,
  type StepNumbers,
  type StepTensors,
  tensorsOf,
} from "./step_gradient.ts";
import type { TrainingTask } from "./task.ts";
import { trainedPart, trainedTask, withTrainedPart } from "./trained_part.ts";
import type { CompleteTrainOptions } from "./train_options.ts";

/** A run in progress. */
export interface Progression<P extends Tree> {
  /** What is trained. */
  readonly task: TrainingTask<P>;
  /** How. */
  readonly options: CompleteTrainOptions;
  /** After the newest step that was launched. */
  now: Standing<P>;
}

/** A step whose work was handed to the device. */
export interface LaunchedStep {
  /** Its number, from 1 on. */
  readonly step: number;
  /** Its learning rate. */
  readonly learningRate: number;
  /** Updates of the optimizer before. */
  readonly updates: number;
  /** The scale of its loss, if there is one. */
  readonly lossScale: LossScale | undefined;
  /** What is to be read of it. */
  readonly numbers: StepTensors;
}

/** The factor before a step that has none before it; see `stepScale`. */
export function freshScale(parameters: Tree): Tensor {
  const { device } = leaves(parameters)[0];
  return withoutScope(() => tensor(1, { device }));
}

/**
 * Takes a step as the run's solver is now, on the device alone: a step that
 * isn't finite changes neither parameters nor the optimizer's tensors, nor does
 * any that is launched after it with the scale that it leaves.
 *
 * @param before The factor of the step before, which stays the caller's.
 */
export function launchStep<P extends Tree>(
  run: Progression<P>,
  before: Tensor,
): LaunchedStep {
  const found = nextGradient(run, { solve: currentSolve(run) }, before);
  return { ...update(run, found), numbers: found.numbers };
}

/** What is told of a step. */
export function stepEvent(
  { step, learningRate, lossScale }: Omit<LaunchedStep, "numbers">,
  { loss, norm }: StepNumbers,
  milliseconds: number,
): StepEvent {
  return {
    type: "step",
    step,
    loss,
    learningRate,
    gradientNorm: norm,
    ...(lossScale && { lossScale: lossScale.factor }),
    milliseconds,
  };
}

/** Whether the next step is a probe. */
export function isProbeNext<P extends Tree>(
  { options: { solver }, now: { solving, progress } }: Progression<P>,
): boolean {
  return solver !== undefined && solving !== undefined &&
    isProbe(progress.step, { solver, control: solving.control });
}

/**
 * Takes a step that is a probe; what that finds is read before the update. No
 * events: it was too much for the scale of the loss, and is to be taken again.
 *
 * @throws {NonFiniteError} If the step isn't finite, even if it is serial.
 */
export async function probedStep<P extends Tree>(
  run: Progression<P>,
): Promise<TrainingEvent[]> {
  const begun = performance.now();
  const { options, now } = run;
  const solver = options.solver!;
  const solving = now.solving!;
  using probe = startProbe({
    ...scaledModel(run),
    solver,
    ...solving,
    batch: now.progress.step * options.accumulation,
  });
  const found = nextGradient(run, {
    solve: (index) => index === 0 ? probe.first : probe.further,
    onFirst: probe.measure,
  });
  const [numbers, findings] = await Promise.all([
    readNumbers(found.numbers),
    probe.findings(),
  ]);
  if (!numbers.isTaken && scaleDown(run, numbers)) {
    discard(found);
    return [];
  }
  if (!(numbers.isTaken && findings.finite) && rescues(run)) {
    discard(found);
    return await serialStep(run, begun);
  }
  if (!numbers.isTaken) return await fail(run, found, numbers);
  const taken = update(run, found);
  const decision = decide(
    solver.control!,
    solving.control,
    findings.probe,
    configuredIterations(solver),
  );
  run.now = withDecision(run.now, decision);
  const { step } = taken;
  const { milliseconds } = findings;
  return [
    stepEvent(taken, numbers, performance.now() - begun),
    { type: "probe", step, ...findings.probe, milliseconds },
    ...switchEvents(step, decision),
  ];
}

/**
 * Goes back to a step that wasn't taken for its numbers, and takes it serially
 * if control is there to do that. No events: it was too much for the scale of
 * the loss, and is to be taken again.
 *
 * @throws {NonFiniteError} If it isn't, or if the serial step isn't finite.
 */
export async function stepAgain<P extends Tree>(
  run: Progression<P>,
  { step, updates, lossScale }: LaunchedStep,
  numbers: StepNumbers,
): Promise<TrainingEvent[]> {
  const { state, progress } = run.now;
  run.now = {
    ...run.now,
    state: { ...state, step: updates },
    progress: { ...progress, step: step - 1 },
    lossScale,
  };
  if (scaleDown(run, numbers)) return [];
  const begun = performance.now();
  if (rescues(run)) return await serialStep(run, begun);
  const found = nextGradient(run, { solve: currentSolve(run) });
  dispose(tensorsOf(found.numbers));
  return await fail(run, found, numbers);
}

/** Takes a step serially, as all from then on. */
async function serialStep<P extends Tree>(
  run: Progression<P>,
  begun: number,
): Promise<TrainingEvent[]> {
  const found = nextGradient(run, {});
  const numbers = await readNumbers(found.numbers);
  if (!numbers.isTaken) {
    if (!scaleDown(run, numbers)) return await fail(run, found, numbers);
    discard(found);
    return await serialStep(run, begun);
  }
  const taken = update(run, found);
  const decision = abandon(run.now.solving!.control);
  run.now = withDecision(run.now, decision);
  return [
    stepEvent(taken, numbers, performance.now() - begun),
    ...switchEvents(taken.step, decision),
  ];
}

/** What is trained, and its loss times the scale. */
function scaledModel<P extends Tree>(
  { task, options: { frozen }, now }: Progression<P>,
): Pick<Progression<P>, "task"> & Pick<Standing<P>, "parameters"> {
  const { parameters } = now;
  return {
    task: scaledTask(trainedTask(task, parameters, frozen), factorOf(now)),
    parameters: trainedPart(parameters, frozen),
  };
}

/** The gradient of the next step. */
function nextGradient<P extends Tree>(
  run: Progression<P>,
  how: Pick<StepBatches<P>, "solve" | "onFirst">,
  before?: Tensor,
): StepGradient<P> {
  const { options: { accumulation, clipNorm }, now } = run;
  const { progress: { step } } = now;
  const lossScale = factorOf(now);
  const { parameters, task } = scaledModel(run);
  using fresh = before === undefined ? freshScale(parameters) : undefined;
  return stepGradient(parameters, {
    task,
    lossScale,
    first: step * accumulation,
    count: accumulation,
    clipNorm,
    before: before ?? fresh!,
    ...how,
  });
}

/** How batches are solved between probes; undefined: serially. */
function currentSolve<P extends Tree>(
  { options: { solver }, now: { solving } }: Progression<P>,
): StepBatches<P>["solve"] {
  if (solver === undefined || solving === undefined) return undefined;
  const { control, memory } = solving;
  const options = solveOptions(solver, currentIterations(control), memory);
  return () => options;
}

/** Improves the parameters; all that was found but its numbers is consumed. */
function update<P extends Tree>(
  run: Progression<P>,
  { gradient, scale }: StepGradient<P>,
): Omit<LaunchedStep, "numbers"> {
  const { options: { optimizer, schedule, frozen }, now } = run;
  const { state, progress } = now;
  const part = trainedPart(now.parameters, frozen);
  const learningRate = optimizer.learningRate * schedule(progress.step);
  const updated = withoutScope(() =>
    optimizer.update(part, gradient, state, { learningRate, scale })
  );
  const parameters = withTrainedPart(
    now.parameters,
    updated.parameters,
    frozen,
  );
  const step = progress.step + 1;
  const lossScale = now.lossScale && nextScale(now.lossScale, progress.step);
  run.now = {
    ...now,
    parameters,
    state: updated.state,
    progress: { ...progress, step },
    lossScale,
  };
  return { step, learningRate, updates: state.step, lossScale };
}

/** What the loss of the next step is multiplied by. */
function factorOf<P extends Tree>(
  { lossScale, progress: { step } }: Standing<P>,
): number {
  return lossScale === undefined ? 1 : nextScale(lossScale, step).factor;
}

/** Halves the scale of the next step's loss, if that may help. */
function scaleDown<P extends Tree>(
  run: Progression<P>,
  { loss }: StepNumbers,
): boolean {
  const { lossScale, solving, progress: { step } } = run.now;
  if (lossScale === undefined || !Number.isFinite(loss)) return false;
  const smaller = smallerScale(nextScale(lossScale, step), step);
  if (smaller === undefined) return false;
  // What solves remember is as infinite, or of steps that weren't taken.
  solving?.memory?.[Symbol.dispose]();
  run.now = { ...run.now, lossScale: smaller };
  return true;
}

function discard({ gradient, scale }: StepGradient<Tree>): void {
  dispose([gradient, scale]);
}

/** Whether a step that isn't finite is taken again without multigrid. */
function rescues<P extends Tree>(
  { options: { solver }, now: { solving } }: Progression<P>,
): boolean {
  if (solver?.control === undefined || solving === undefined) return false;
  return solver.control.policy !== "fixed" &&
    Object.keys(currentIterations(solving.control)).length > 0;
}

/** What a direction found by multigrid is nothing to start from afterwards. */
function withDecision<P extends Tree>(
  now: Standing<P>,
  decision: Decision,
): Standing<P> {
  const solving = now.solving!;
  for (const { direction, to } of decision.switches) {
    if (to.serial) solving.memory?.remember(direction, undefined);
  }
  return { ...now, solving: { ...solving, control: decision.state } };
}

function switchEvents(step: number, { switches }: Decision): TrainingEvent[] {
  return switches.map((change) => ({ type: "switch", step, ...change }));
}

/** Ends the run at a step that can't be taken. */
async function fail<P extends Tree>(
  { now: { parameters, progress, saved } }: Progression<P>,
  found: StepGradient<P>,
  { loss }: StepNumbers,
): Promise<never> {
  const culprit = await findCulprit(parameters, found.gradient, loss);
  discard(found);
  throw new NonFiniteError({
    step: progress.step + 1,
    culprit,
    checkpoint: saved,
  });
}

/** Where the first number that isn't finite comes from. */
async function findCulprit(
  parameters: Tree,
  gradient: Tree,
  loss: number,
): Promise<string> {
  const parameter = await firstNonFinite(parameters);
  if (parameter !== undefined) return `parameter ${parameter}`;
  if (!Number.isFinite(loss)) return "loss";
  const name = await firstNonFinite(gradient);
  return name === undefined ? "norm of all gradients" : `gradient of ${name}`;
}
