/**
 * One update of a training run, and what to say of it.
 *
 * @module
 */

import {
  abandon,
  type ControlState,
  currentIterations,
  decide,
  type Decision,
} from "../mgrit/mod.ts";
import { type Tree, withoutScope } from "../tensor/internal.ts";
import type { TrainingEvent } from "./event.ts";
import { firstNonFinite, NonFiniteError } from "./non_finite.ts";
import { type Findings, probeAt, type RunningProbe } from "./probing.ts";
import type { SolverStanding, Standing } from "./standing.ts";
import {
  type CompleteTrainingSolver,
  configuredIterations,
  solveOptions,
} from "./solver.ts";
import {
  discard,
  isFinite,
  type StepGradient,
  stepGradient,
} from "./step_gradient.ts";
import type { TrainingTask } from "./task.ts";
import type { CompleteTrainOptions } from "./train_options.ts";

/** Takes a step; returns where the run stands then, and its events. */
export async function trainingStep<P extends Tree>(
  task: TrainingTask<P>,
  options: CompleteTrainOptions,
  now: Standing<P>,
): Promise<[Standing<P>, TrainingEvent[]]> {
  const begun = performance.now();
  const { optimizer, schedule } = options;
  const { parameters, state, progress, saved } = now;
  const step = progress.step + 1;
  const { findings, decision, ...found } = await checkedGradient(
    task,
    options,
    now,
  );
  if (!isFinite(found)) {
    const culprit = await findCulprit(parameters, found);
    discard(found);
    throw new NonFiniteError({ step, culprit, checkpoint: saved });
  }
  const { gradient, scale } = found;
  const learningRate = optimizer.learningRate * schedule(progress.step);
  const updated = withoutScope(() =>
    optimizer.update(parameters, gradient, state, { learningRate, scale })
  );
  await othersTurn();
  const events: TrainingEvent[] = [{
    type: "step",
    step,
    loss: found.loss,
    learningRate,
    gradientNorm: found.norm,
    milliseconds: performance.now() - begun,
  }];
  if (findings !== undefined) {
    const { probe, milliseconds } = findings;
    events.push({ type: "probe", step, ...probe, milliseconds });
  }
  for (const change of decision?.switches ?? []) {
    events.push({ type: "switch", step, ...change });
  }
  return [
    {
      ...now,
      ...updated,
      progress: { ...progress, step },
      solving: now.solving && withDecision(now.solving, decision),
    },
    events,
  ];
}

/** A step's gradient, and what follows from a probe of it. */
interface CheckedGradient<P extends Tree> extends StepGradient<P> {
  readonly findings?: Findings;
  readonly decision?: Decision;
}

/**
 * The gradient of a step as control wants it: that of a probe if one is due,
 * and the serial one if multigrid's isn't finite.
 */
async function checkedGradient<P extends Tree>(
  task: TrainingTask<P>,
  { accumulation, clipNorm, solver }: CompleteTrainOptions,
  { parameters, progress: { step }, solving }: Standing<P>,
): Promise<CheckedGradient<P>> {
  const first = step * accumulation;
  const batches = { task, first, count: accumulation, clipNorm };
  if (solver === undefined || solving === undefined) {
    return await stepGradient(parameters, batches);
  }
  const { control, memory } = solving;
  const subject = { task, solver, control, memory, parameters, batch: first };
  using probe = probeAt(step, subject);
  const found = await stepGradient(parameters, {
    ...batches,
    solve: solutionOf(solver, solving, probe),
    onFirst: probe?.measure,
  });
  const findings = await probe?.findings();
  if (
    isFinite(found) && (findings?.finite ?? true) || !rescues(solver, control)
  ) {
    const decision = findings &&
      decide(
        solver.control!,
        control,
        findings.probe,
        configuredIterations(solver),
      );
    return { ...found, findings, decision };
  }
  discard(found);
  return {
    ...await stepGradient(parameters, batches),
    decision: abandon(control),
  };
}

/** How the batches of a step are solved: as now, or as a probe wants it. */
function solutionOf<P extends Tree>(
  solver: CompleteTrainingSolver,
  { control, memory }: SolverStanding,
  probe: RunningProbe<P> | undefined,
): (index: number) => RunningProbe<P>["first"] {
  if (probe !== undefined) {
    return (index) => index === 0 ? probe.first : probe.further;
  }
  const options = solveOptions(solver, currentIterations(control), memory);
  return () => options;
}

/** Whether a batch that isn't finite is done again without multigrid. */
function rescues(
  { control: options }: CompleteTrainingSolver,
  state: ControlState,
): boolean {
  return options !== undefined && options.policy !== "fixed" &&
    Object.keys(currentIterations(state)).length > 0;
}

/** What a direction found by multigrid is nothing to start from afterwards. */
function withDecision(
  solving: SolverStanding,
  decision: Decision | undefined,
): SolverStanding {
  if (decision === undefined) return solving;
  for (const { direction, to } of decision.switches) {
    if (to.serial) solving.memory?.remember(direction, undefined);
  }
  return { ...solving, control: decision.state };
}

/** Where the first number that isn't finite comes from. */
async function findCulprit(
  parameters: Tree,
  { gradient, loss }: StepGradient<Tree>,
): Promise<string> {
  const parameter = await firstNonFinite(parameters);
  if (parameter !== undefined) return `parameter ${parameter}`;
  if (!Number.isFinite(loss)) return "loss";
  const name = await firstNonFinite(gradient);
  return name === undefined ? "norm of all gradients" : `gradient of ${name}`;
}

// A loop whose tensors can be read at once never waits, and would let neither
// signals nor timers through.
async function othersTurn(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  await new Promise<void>((resolve) => {
    port1.onmessage = () => resolve();
    port2.postMessage(undefined);
  });
  port1.close();
}
