/**
 * The training loop: one stream of events, which everything else listens to.
 *
 * @example
 * ```ts
 * import { adamW, gptDecay, gptTask, train } from "@layerbraid/layerbraid/train";
 * import { tokensInMemory } from "@layerbraid/layerbraid/data";
 * import { gptConfiguration } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const bytes = new TextEncoder().encode("to be, or not to be. ".repeat(20));
 * const task = gptTask({
 *   configuration: gptConfiguration({
 *     vocabulary: 256, context: 16, width: 16, heads: 2, layers: 1,
 *   }),
 *   tokens: tokensInMemory(bytes),
 *   batch: 4,
 * });
 * const optimizer = adamW({ learningRate: 1e-2, decay: gptDecay });
 * for await (const event of train(task, { optimizer, steps: 3 })) {
 *   if (event.type === "step") console.log(event.step, event.loss); // 1 5.5…
 * }
 * ```
 *
 * @module
 */

import { leaves, type Tree } from "../tensor/internal.ts";
import type { StartEvent, StopEvent, TrainingEvent } from "./event.ts";
import type { Progress } from "./manifest.ts";
import { recordMetrics } from "./metrics_file.ts";
import { firstNonFinite, NonFiniteError } from "./non_finite.ts";
import { launchSteps } from "./launched_steps.ts";
import { begin, close, save, type Standing } from "./standing.ts";
import type { TrainingTask, Validation } from "./task.ts";
import {
  type CompleteTrainOptions,
  completeTrainOptions,
  type TrainOptions,
} from "./train_options.ts";
import { trainedPart } from "./trained_part.ts";
import type { Progression } from "./training_step.ts";

/** A run in progress; it goes on while its events are taken. */
export interface TrainingRun<P extends Tree>
  extends AsyncIterable<TrainingEvent> {
  /**
   * The parameters after the newest event; after a step's they may be some
   * steps further, where steps aren't read one by one. The next event may end
   * them, the last one leaves them to the reader.
   *
   * @throws {ReferenceError} Before the first event.
   */
  readonly parameters: P;
}

/**
 * Trains a task. The run begins when its first event is taken, and waits
 * between events; leaving the loop ends it.
 *
 * @throws {RangeError} If an option is out of range.
 * @throws {TypeError} If options don't go together.
 *
 * While events are taken:
 * {@linkcode NonFiniteError} if the loss or a gradient is NaN or infinite,
 * {@linkcode CheckpointError} if there is nothing to resume, or if the folder
 * holds another run.
 */
export function train<P extends Tree>(
  task: TrainingTask<P>,
  options: TrainOptions,
): TrainingRun<P> {
  const complete = completeTrainOptions(options, task);
  const run: Run<P> = { task, options: complete };
  const events = complete.folder === undefined
    ? trainingEvents(run)
    : recordMetrics(complete.folder, trainingEvents(run));
  return {
    get parameters(): P {
      const { progression } = run;
      if (progression !== undefined) return progression.now.parameters;
      throw new ReferenceError(
        "train: there are no parameters before the first event is taken",
      );
    },
    [Symbol.asyncIterator]: () => events,
  };
}

/** A run, which is in progress from its first event on. */
interface Run<P extends Tree> {
  readonly task: TrainingTask<P>;
  readonly options: CompleteTrainOptions;
  progression?: Progression<P>;
}

async function* trainingEvents<P extends Tree>(
  run: Run<P>,
): AsyncGenerator<TrainingEvent, void, void> {
  const { task, options } = run;
  const { steps, folder, evaluationInterval, checkpointInterval } = options;
  const begun = await begin(task, options);
  let checkpoint = begun[1];
  const progression: Progression<P> = { task, options, now: begun[0] };
  run.progression = progression;
  try {
    const { now } = progression;
    yield {
      type: "start",
      step: now.progress.step,
      steps,
      ...parameterCounts(now.parameters, options),
      tokensPerStep: task.tokensPerBatch * options.accumulation,
      unit: task.unit,
      ...(checkpoint && {
        checkpoint: checkpoint.path,
        damaged: checkpoint.damaged,
      }),
      ...solverDescription(task, options, now),
    };
    // Its arrays are as large as the model.
    checkpoint = undefined;
    // A run that is interrupted before its first step takes one all the same:
    // then there is a checkpoint to go on from.
    let reason = reasonToStop({ ...options, signal: undefined }, now.progress);
    while (reason === undefined) {
      yield* launchSteps(progression, nextPause(progression));
      const { step } = progression.now.progress;
      if (
        task.validate !== undefined &&
        (step % evaluationInterval === 0 || step === steps)
      ) {
        const { now } = progression;
        const { loss, metrics } = await validate(task.validate, options, now);
        const progress = withEvaluation(now.progress, loss);
        progression.now = { ...now, progress };
        const best = progress.misses === 0;
        yield { type: "evaluation", step, loss, metrics, best };
      }
      reason = reasonToStop(options, progression.now.progress);
      const due = reason !== undefined || step % checkpointInterval === 0;
      if (folder !== undefined && due) {
        const path = await save(task, options, folder, progression.now);
        progression.now = { ...progression.now, saved: path };
        yield { type: "checkpoint", step, path };
        reason ??= reasonToStop(options, progression.now.progress);
      }
    }
    yield { type: "stop", step: progression.now.progress.step, reason };
  } finally {
    close(progression.now);
  }
}

function parameterCounts(
  parameters: Tree,
  { frozen }: CompleteTrainOptions,
): Pick<StartEvent, "parameters" | "frozen"> {
  const count = (tree: Tree): number =>
    leaves(tree).reduce((sum, x) => sum + x.size, 0);
  const all = count(parameters);
  const trained = count(trainedPart(parameters, frozen));
  return {
    parameters: trained,
    ...(trained < all && { frozen: all - trained }),
  };
}

/** The step after which something else is due. */
function nextPause<P extends Tree>(
  { task, options, now: { progress } }: Progression<P>,
): number {
  const { steps, folder, evaluationInterval, checkpointInterval } = options;
  const after = (interval: number): number =>
    progress.step + interval - progress.step % interval;
  return Math.min(
    steps,
    task.validate === undefined ? steps : after(evaluationInterval),
    folder === undefined ? steps : after(checkpointInterval),
  );
}

function solverDescription<P extends Tree>(
  { block }: TrainingTask<P>,
  { solver }: CompleteTrainOptions,
  { solving }: Standing<P>,
): Pick<StartEvent, "solver"> {
  if (solver === undefined || solving === undefined) return {};
  const { layers } = block!;
  return { solver: { layers, ...solver, state: solving.control } };
}

function reasonToStop(
  { steps, patience, signal }: CompleteTrainOptions,
  { step, misses }: Progress,
): StopEvent["reason"] | undefined {
  if (step >= steps) return "done";
  if (misses >= patience) return "early";
  return signal?.aborted ? "interrupted" : undefined;
}

async function validate<P extends Tree>(
  measure: NonNullable<TrainingTask<P>["validate"]>,
  { evaluationBatches }: CompleteTrainOptions,
  { parameters, progress: { step }, saved }: Standing<P>,
): Promise<Validation> {
  const validation = await measure(parameters, evaluationBatches);
  if (Number.isFinite(validation.loss)) return validation;
  const parameter = await firstNonFinite(parameters);
  throw new NonFiniteError({
    step,
    culprit: parameter ? `parameter ${parameter}` : "validation loss",
    checkpoint: saved,
  });
}

function withEvaluation(progress: Progress, loss: number): Progress {
  const { step, best, misses } = progress;
  return best === undefined || loss < best.loss
    ? { step, best: { step, loss }, misses: 0 }
    : { step, best, misses: misses + 1 };
}
