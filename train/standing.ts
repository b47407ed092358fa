/**
 * Where a training run stands: its beginning, and its checkpoints.
 *
 * @module
 */

import type { ControlState, SolveMemory } from "../mgrit/mod.ts";
import {
  dispose,
  leaves,
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
import {
  firstNonFiniteArray,
  hostArrays,
  restoreTensors,
} from "./host_tensors.ts";
import type { LossScale } from "./loss_scale.ts";
import { CheckpointError, type Manifest, type Progress } from "./manifest.ts";
import { NonFiniteError } from "./non_finite.ts";
import type { OptimizerState } from "./optimizer.ts";
import { memoryArrays, memoryFrom } from "./solve_memory_arrays.ts";
import { controlAtStart, needsMemory, savedControl } from "./solver.ts";
import type { TrainingTask } from "./task.ts";
import { type CompleteTrainOptions, trainingNumbers } from "./train_options.ts";
import { trainedPart } from "./trained_part.ts";

/** Where a run stands. */
export interface Standing<P extends Tree> {
  /** After the last step. */
  readonly parameters: P;
  /** The optimizer's. */
  readonly state: OptimizerState;
  /** Steps and losses so far. */
  readonly progress: Progress;
  /** The newest checkpoint's folder. */
  readonly saved?: string;
  /** Where the run has a solver. */
  readonly solving?: SolverStanding;
  /** Where the loss is scaled. */
  readonly lossScale?: LossScale;
}

/** How a run solves its block now. */
export interface SolverStanding {
  /** Each direction. */
  readonly control: ControlState;
  /** What the next solve starts from, where the solver wants to know. */
  readonly memory: SolveMemory<never> | undefined;
}

/** Frees what a run holds beside its parameters. */
export function close({ state, solving }: Standing<Tree>): void {
  dispose(state.slots);
  solving?.memory?.[Symbol.dispose]();
}

/** The beginning of a run, and the checkpoint that it goes on from. */
export async function begin<P extends Tree>(
  task: TrainingTask<P>,
  options: CompleteTrainOptions,
): Promise<[Standing<P>, Checkpoint | undefined]> {
  const { folder, resume } = options;
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
    const parameters = firstParameters(task, options);
    const state = firstState(trainable(task, parameters, options), options);
    const progress = { step: 0, misses: 0 };
    const solving = solvingAtStart(options);
    const lossScale = lossScaleAtStart(options);
    return [{ parameters, state, progress, solving, lossScale }, undefined];
  });
}

function restore<P extends Tree>(
  task: TrainingTask<P>,
  options: CompleteTrainOptions,
  checkpoint: Checkpoint,
): Standing<P> {
  const { optimizer } = options;
  const { path, manifest, parameters, optimizer: slots } = checkpoint;
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
        optimizer.init(trainable(task, restored, options)).slots,
        slots,
      ),
    };
    return {
      parameters: restored,
      state,
      progress: manifest.progress,
      saved: path,
      solving: solvingAtStart(options, checkpoint),
      lossScale: lossScaleAtStart(options, manifest),
    };
  });
}

function firstParameters<P extends Tree>(
  task: TrainingTask<P>,
  { begin }: CompleteTrainOptions,
): P {
  const fresh = task.initialize();
  return begin === undefined
    ? fresh
    : restoreTensors("train: begin.parameters", fresh, begin.parameters);
}

function firstState(
  parameters: Tree,
  { begin, optimizer, frozen }: CompleteTrainOptions,
): OptimizerState {
  const fresh = optimizer.init(parameters);
  if (begin?.state === undefined) return fresh;
  const { step, slots } = begin.state;
  const source = "train: begin.state";
  // Behind the name of the slot is the parameter's.
  const parameterOf = (name: string): string =>
    name.slice(name.indexOf(".") + 1);
  const own = Object.fromEntries(
    Object.entries(slots).filter(([name]) => !frozen?.(parameterOf(name))),
  );
  return { step, slots: restoreTensors(source, fresh.slots, own) };
}

/** What the optimizer sees of the parameters. */
function trainable<P extends Tree>(
  { name }: TrainingTask<P>,
  parameters: P,
  { frozen }: CompleteTrainOptions,
): P {
  const part = trainedPart(parameters, frozen);
  if (leaves(part).length > 0) return part;
  dispose(parameters);
  throw new RangeError(
    `train: all parameters of the task "${name}" are frozen; leave some to train`,
  );
}

function solvingAtStart(
  { solver }: CompleteTrainOptions,
  checkpoint?: Checkpoint,
): SolverStanding | undefined {
  return solver && {
    control: controlAtStart(solver, checkpoint?.manifest.solver),
    memory: needsMemory(solver)
      ? memoryFrom(checkpoint?.memory ?? {})
      : undefined,
  };
}

function lossScaleAtStart(
  { lossScale }: CompleteTrainOptions,
  saved?: Manifest,
): LossScale | undefined {
  if (lossScale === undefined) return undefined;
  const since = saved?.progress.step ?? 0;
  return saved?.lossScale ?? { factor: lossScale, since };
}

/** Writes a checkpoint; returns its folder. */
export async function save<P extends Tree>(
  task: TrainingTask<P>,
  options: CompleteTrainOptions,
  folder: string,
  { parameters, state, progress, saved, solving, lossScale }: Standing<P>,
): Promise<string> {
  const { optimizer, settings, keep, solver } = options;
  const memory = solving?.memory && await memoryArrays(solving.memory);
  const contents = {
    parameters: await hostArrays(parameters),
    optimizer: await hostArrays(state.slots),
    ...(memory && { memory }),
  };
  for (const [part, arrays] of Object.entries(contents)) {
    const name = firstNonFiniteArray(arrays);
    if (name === undefined) continue;
    throw new NonFiniteError({
      step: progress.step,
      culprit: part === "parameters"
        ? `parameter ${name}`
        : `${part}'s ${name}`,
      checkpoint: saved,
    });
  }
  const { device } = leaves(parameters)[0];
  const control = solver && solving && savedControl(solver, solving.control);
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
      ...(control && { solver: control }),
      ...(lossScale && { lossScale }),
      settings,
      device: { name: device.name, dtype: device.floatDtype },
    },
  });
  await pruneCheckpoints(folder, keep, progress);
  return path;
}
