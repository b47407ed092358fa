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

import { valueAndGrad } from "../autograd/mod.ts";
import {
  dispose,
  leaves,
  type Tensor,
  type Tree,
  withoutScope,
} from "../tensor/internal.ts";
import {
  type Checkpoint,
  listCheckpoints,
  loadCheckpoint,
  pruneCheckpoints,
  removePartialCheckpoints,
  saveCheckpoint,
} from "./checkpoint.ts";
import type { StepEvent, StopEvent, TrainingEvent } from "./event.ts";
import { accumulate } from "./gradient_accumulation.ts";
import {
  clipByGlobalNorm,
  type Clipping,
  globalNorm,
} from "./gradient_clipping.ts";
import {
  firstNonFiniteArray,
  hostArrays,
  restoreTensors,
} from "./host_tensors.ts";
import { CheckpointError, type Progress } from "./manifest.ts";
import { recordMetrics } from "./metrics_file.ts";
import { firstNonFinite, NonFiniteError } from "./non_finite.ts";
import type { OptimizerState } from "./optimizer.ts";
import type { TrainingTask } from "./task.ts";
import {
  type CompleteTrainOptions,
  completeTrainOptions,
  trainingNumbers,
  type TrainOptions,
} from "./train_options.ts";

/** A run in progress; it goes on while its events are taken. */
export interface TrainingRun<P extends Tree>
  extends AsyncIterable<TrainingEvent> {
  /**
   * The parameters after the newest event. The next event may end them, the
   * last one leaves them to the reader.
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
  const complete = completeTrainOptions(
    options,
    task.validationLoss !== undefined,
  );
  const run: Run<P> = { task, options: complete };
  const events = complete.folder === undefined
    ? trainingEvents(run)
    : recordMetrics(complete.folder, trainingEvents(run));
  return {
    get parameters(): P {
      if (run.parameters !== undefined) return run.parameters;
      throw new ReferenceError(
        "train: there are no parameters before the first event is taken",
      );
    },
    [Symbol.asyncIterator]: () => events,
  };
}

/** A run as its events see it; the parameters are there from the first on. */
interface Run<P extends Tree> {
  readonly task: TrainingTask<P>;
  readonly options: CompleteTrainOptions;
  parameters?: P;
}

/** Where a run stands. */
interface Standing<P extends Tree> {
  readonly parameters: P;
  readonly state: OptimizerState;
  readonly progress: Progress;
  /** The newest checkpoint's folder. */
  readonly saved?: string;
}

async function* trainingEvents<P extends Tree>(
  run: Run<P>,
): AsyncGenerator<TrainingEvent, void, void> {
  const { task, options } = run;
  const { steps, folder, evaluationInterval, checkpointInterval } = options;
  let [now, checkpoint] = await begin(task, options);
  try {
    run.parameters = now.parameters;
    yield {
      type: "start",
      step: now.progress.step,
      steps,
      parameters: leaves(now.parameters).reduce((sum, x) => sum + x.size, 0),
      tokensPerStep: task.tokensPerBatch * options.accumulation,
      ...(checkpoint && {
        checkpoint: checkpoint.path,
        damaged: checkpoint.damaged,
      }),
    };
    // Its arrays are as large as the model.
    checkpoint = undefined;
    // A run that is interrupted before its first step takes one all the same:
    // then there is a checkpoint to go on from.
    let reason = reasonToStop({ ...options, signal: undefined }, now.progress);
    while (reason === undefined) {
      const [next, event] = await trainingStep(task, options, now);
      now = next;
      run.parameters = now.parameters;
      yield event;
      const { step } = now.progress;
      if (
        task.validationLoss !== undefined &&
        (step % evaluationInterval === 0 || step === steps)
      ) {
        const loss = await validationLoss(task.validationLoss, options, now);
        now = { ...now, progress: withEvaluation(now.progress, loss) };
        yield {
          type: "evaluation",
          step,
          loss,
          best: now.progress.misses === 0,
        };
      }
      reason = reasonToStop(options, now.progress);
      const due = reason !== undefined || step % checkpointInterval === 0;
      if (folder !== undefined && due) {
        const path = await save(task, options, folder, now);
        now = { ...now, saved: path };
        yield { type: "checkpoint", step, path };
        reason ??= reasonToStop(options, now.progress);
      }
    }
    yield { type: "stop", step: now.progress.step, reason };
  } finally {
    dispose(now.state.slots);
  }
}

/** The beginning of a run, and the checkpoint that it goes on from. */
async function begin<P extends Tree>(
  task: TrainingTask<P>,
  options: CompleteTrainOptions,
): Promise<[Standing<P>, Checkpoint | undefined]> {
  const { folder, resume, optimizer } = options;
  if (folder !== undefined) {
    if (!resume && (await listCheckpoints(folder)).length > 0) {
      throw new CheckpointError(
        `${folder}: holds the checkpoints of another run; resume that, or ` +
          `choose another folder`,
      );
    }
    await Deno.mkdir(folder, { recursive: true });
    await removePartialCheckpoints(folder);
    if (resume) {
      const checkpoint = await loadCheckpoint(folder);
      return [restore(task, options, checkpoint), checkpoint];
    }
  }
  return withoutScope(() => {
    const parameters = task.initialize();
    const state = optimizer.init(parameters);
    return [{ parameters, state, progress: { step: 0, misses: 0 } }, undefined];
  });
}

function restore<P extends Tree>(
  task: TrainingTask<P>,
  { optimizer }: CompleteTrainOptions,
  { path, manifest, parameters, optimizer: slots }: Checkpoint,
): Standing<P> {
  const requireSame = (what: string, saved: string, given: string): void => {
    if (saved === given) return;
    throw new CheckpointError(
      `${path}: was written with the ${what} "${saved}", not "${given}"; ` +
        `resume with the same one`,
    );
  };
  requireSame("task", manifest.task.name, task.name);
  requireSame("optimizer", manifest.optimizer.name, optimizer.name);
  return withoutScope(() => {
    const restored = restoreTensors(
      `${path}/parameters.safetensors`,
      task.initialize(),
      parameters,
    );
    const state = {
      step: manifest.optimizer.step,
      slots: restoreTensors(
        `${path}/optimizer.safetensors`,
        optimizer.init(restored).slots,
        slots,
      ),
    };
    const { progress } = manifest;
    return { parameters: restored, state, progress, saved: path };
  });
}

function reasonToStop(
  { steps, patience, signal }: CompleteTrainOptions,
  { step, misses }: Progress,
): StopEvent["reason"] | undefined {
  if (step >= steps) return "done";
  if (misses >= patience) return "early";
  return signal?.aborted ? "interrupted" : undefined;
}

/** One update, and what to say of it. */
async function trainingStep<P extends Tree>(
  task: TrainingTask<P>,
  options: CompleteTrainOptions,
  { parameters, state, progress, saved }: Standing<P>,
): Promise<[Standing<P>, StepEvent]> {
  const begun = performance.now();
  const { optimizer, schedule, clipNorm } = options;
  const { losses, gradient } = withoutScope(() =>
    meanGradient(task, options.accumulation, parameters, progress.step)
  );
  const { norm, scale } = withoutScope(():
    & Pick<Clipping, "norm">
    & Partial<Clipping> =>
    clipNorm === undefined
      ? { norm: globalNorm(gradient) }
      : clipByGlobalNorm(gradient, clipNorm)
  );
  const loss = await mean(losses);
  const gradientNorm = await norm.item();
  norm.dispose();
  const step = progress.step + 1;
  if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
    const culprit = await findCulprit(parameters, gradient, loss);
    dispose(gradient);
    scale?.dispose();
    throw new NonFiniteError({ step, culprit, checkpoint: saved });
  }
  const learningRate = optimizer.learningRate * schedule(progress.step);
  const updated = withoutScope(() =>
    optimizer.update(parameters, gradient, state, { learningRate, scale })
  );
  await othersTurn();
  return [
    { ...updated, progress: { ...progress, step }, saved },
    {
      type: "step",
      step,
      loss,
      learningRate,
      gradientNorm,
      milliseconds: performance.now() - begun,
    },
  ];
}

/** The gradient of the mean loss of the batches of a step. */
function meanGradient<P extends Tree>(
  task: TrainingTask<P>,
  accumulation: number,
  parameters: P,
  step: number,
): { losses: Tensor[]; gradient: P } {
  const lossAndGradient = valueAndGrad(task.loss);
  const first = lossAndGradient(parameters, step * accumulation);
  if (accumulation === 1) {
    return { losses: [first.value], gradient: first.gradient };
  }
  const losses = [first.value];
  let sum = accumulate<P>(undefined, first.gradient, 1 / accumulation);
  for (let i = 1; i < accumulation; i++) {
    const batch = step * accumulation + i;
    const { value, gradient } = lossAndGradient(parameters, batch);
    losses.push(value);
    sum = accumulate(sum, gradient, 1 / accumulation);
  }
  return { losses, gradient: sum };
}

/** The mean of tensors of one element; they are consumed. */
async function mean(tensors: readonly Tensor[]): Promise<number> {
  let sum = 0;
  for (const x of tensors) {
    sum += await x.item();
    x.dispose();
  }
  return sum / tensors.length;
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

async function validationLoss<P extends Tree>(
  measure: NonNullable<TrainingTask<P>["validationLoss"]>,
  { evaluationBatches }: CompleteTrainOptions,
  { parameters, progress: { step }, saved }: Standing<P>,
): Promise<number> {
  const loss = await measure(parameters, evaluationBatches);
  if (Number.isFinite(loss)) return loss;
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

/** Writes a checkpoint; returns its folder. */
async function save<P extends Tree>(
  task: TrainingTask<P>,
  options: CompleteTrainOptions,
  folder: string,
  { parameters, state, progress, saved }: Standing<P>,
): Promise<string> {
  const { optimizer, settings, keep } = options;
  const contents = {
    parameters: await hostArrays(parameters),
    optimizer: await hostArrays(state.slots),
  };
  for (const part of ["parameters", "optimizer"] as const) {
    const name = firstNonFiniteArray(contents[part]);
    if (name === undefined) continue;
    throw new NonFiniteError({
      step: progress.step,
      culprit: part === "parameters"
        ? `parameter ${name}`
        : `optimizer's ${name}`,
      checkpoint: saved,
    });
  }
  const { device } = leaves(parameters)[0];
  const path = await saveCheckpoint(folder, {
    ...contents,
    manifest: {
      progress,
      task: { name: task.name, description: task.description },
      training: trainingNumbers(options),
      optimizer: {
        name: optimizer.name,
        learningRate: optimizer.learningRate,
        step: state.step,
      },
      settings,
      device: { name: device.name, dtype: device.floatDtype },
    },
  });
  await pruneCheckpoints(folder, keep, progress);
  return path;
}
