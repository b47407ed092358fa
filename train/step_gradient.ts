/**
 * The gradient of a training step, and the numbers that are read of it.
 *
 * @module
 */

import { valueAndGrad } from "../autograd/mod.ts";
import type { SolveOptions } from "../mgrit/mod.ts";
import {
  dispose,
  type Tensor,
  type Tree,
  withoutScope,
} from "../tensor/internal.ts";
import { accumulate } from "./gradient_accumulation.ts";
import {
  clipByGlobalNorm,
  type Clipping,
  globalNorm,
} from "./gradient_clipping.ts";
import type { TrainingTask } from "./task.ts";

/** The gradient of the mean loss over the batches of a step. */
export interface StepGradient<P extends Tree> {
  /** Before clipping. */
  readonly gradient: P;
  /** Mean loss. */
  readonly loss: number;
  /** Norm of the gradient. */
  readonly norm: number;
  /** The factor that clips the gradient; absent without clipping. */
  readonly scale?: Tensor;
}

/** Which batches make a step, and how they are solved. */
export interface StepBatches<P extends Tree> {
  /** What is trained. */
  readonly task: TrainingTask<P>;
  /** Number of the first batch. */
  readonly first: number;
  /** How many. */
  readonly count: number;
  /** How a batch is solved, `index` places after the first; default: serially. */
  readonly solve?: (index: number) => SolveOptions<never>;
  /** Sees the gradient of the first batch alone. */
  readonly onFirst?: (gradient: P) => void;
  /** Largest norm of the gradient; default: no limit. */
  readonly clipNorm?: number;
}

/** Computes a step's gradient. */
export async function stepGradient<P extends Tree>(
  parameters: P,
  batches: StepBatches<P>,
): Promise<StepGradient<P>> {
  const { clipNorm } = batches;
  const { losses, gradient } = withoutScope(() =>
    meanGradient(parameters, batches)
  );
  const { norm, scale } = withoutScope(():
    & Pick<Clipping, "norm">
    & Partial<Clipping> =>
    clipNorm === undefined
      ? { norm: globalNorm(gradient) }
      : clipByGlobalNorm(gradient, clipNorm)
  );
  const loss = await mean(losses);
  const value = await norm.item();
  norm.dispose();
  return { gradient, loss, norm: value, scale };
}

/** Whether a step can be taken with a gradient. */
export function isFinite({ loss, norm }: StepGradient<Tree>): boolean {
  return Number.isFinite(loss) && Number.isFinite(norm);
}

/** Frees a gradient that no step is taken with. */
export function discard({ gradient, scale }: StepGradient<Tree>): void {
  dispose(gradient);
  scale?.dispose();
}

function meanGradient<P extends Tree>(
  parameters: P,
  { task, first, count, solve, onFirst }: StepBatches<P>,
): { losses: Tensor[]; gradient: P } {
  const lossAndGradient = valueAndGrad(task.loss);
  const { value, gradient } = lossAndGradient(parameters, first, solve?.(0));
  onFirst?.(gradient);
  if (count === 1) return { losses: [value], gradient };
  const losses = [value];
  let sum = accumulate<P>(undefined, gradient, 1 / count);
  for (let i = 1; i < count; i++) {
    const { value, gradient } = lossAndGradient(
      parameters,
      first + i,
      solve?.(i),
    );
    losses.push(value);
    sum = accumulate(sum, gradient, 1 / count);
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
