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
import { globalNorm } from "./gradient_clipping.ts";
import { stepScale } from "./step_scale.ts";
import type { TrainingTask } from "./task.ts";

/** The gradient of the mean loss over the batches of a step. */
export interface StepGradient<P extends Tree> {
  /** Before clipping; `update` consumes it. */
  readonly gradient: P;
  /** The factor that the update takes; see {@linkcode stepScale}. */
  readonly scale: Tensor;
  /** What can be read of the step. */
  readonly numbers: StepTensors;
}

/** Numbers of a step that are still on the device. */
export interface StepTensors {
  /** Of each batch. */
  readonly losses: readonly Tensor[];
  /** Norm of the gradient, before clipping. */
  readonly norm: Tensor;
  /** The factor of the gradient; negative: the step isn't taken. */
  readonly scale: Tensor;
  /** What losses and norm are multiplied by. */
  readonly lossScale: number;
}

/** Numbers of a step. */
export interface StepNumbers {
  /** Mean loss. */
  readonly loss: number;
  /** Norm of the gradient, before clipping. */
  readonly norm: number;
  /** Whether both are finite, and so in all steps before since the last read. */
  readonly isTaken: boolean;
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
  /** The factor of the step before, which stays the caller's. */
  readonly before: Tensor;
  /** What the task multiplies its loss by. */
  readonly lossScale: number;
}

/** Computes a step's gradient; nothing is read. */
export function stepGradient<P extends Tree>(
  parameters: P,
  batches: StepBatches<P>,
): StepGradient<P> {
  return withoutScope(() => {
    const { clipNorm, before, lossScale } = batches;
    const { losses, gradient } = meanGradient(parameters, batches);
    const norm = globalNorm(gradient);
    const scale = stepScale({ norm, losses, before, lossScale, clipNorm });
    const numbers = { losses, norm, scale: scale.retain(), lossScale };
    return { gradient, scale, numbers };
  });
}

/** Reads a step's numbers; they are consumed. */
export async function readNumbers(
  numbers: StepTensors,
): Promise<StepNumbers> {
  const tensors = tensorsOf(numbers);
  try {
    const [factor, norm, ...losses] = await Promise.all(
      tensors.map((x) => x.item()),
    );
    const { lossScale } = numbers;
    const loss = losses.reduce((sum, x) => sum + x, 0) / losses.length;
    return {
      loss: loss / lossScale,
      norm: norm / lossScale,
      isTaken: factor >= 0,
    };
  } finally {
    dispose(tensors);
  }
}

/** The factor, the norm, and the losses. */
export function tensorsOf({ losses, norm, scale }: StepTensors): Tensor[] {
  return [scale, norm, ...losses];
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
