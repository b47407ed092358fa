/**
 * Measuring a model batch by batch on data that is not trained on.
 *
 * @module
 */

import { evaluate } from "../autograd/mod.ts";
import { type Device, dispose, type Tensor } from "../tensor/internal.ts";
import type { Validation } from "./task.ts";
import { readIntervalOf } from "./train_options.ts";

/** What a batch says: means over its examples, one element each. */
export interface BatchMeasures {
  /** How many examples (windows, labels, …) the means are over; may be 0. */
  readonly weight: number;
  /** How many of them the loss is the mean of; default: all. */
  readonly lossWeight?: number;
  /** Mean loss. */
  readonly loss: Tensor;
  /** Other means by name, of the same names in every batch; default: none. */
  readonly metrics?: Readonly<Record<string, Tensor>>;
}

/**
 * The means over all examples of all batches. Batches are launched one after
 * the other and read a few at a time, so that a device that computes in the
 * background has something to do. NaN if there are no examples.
 *
 * @param device Where the model is.
 * @param measure Called outside of tapes; everything it makes is freed.
 *
 * @example
 * ```ts
 * import { device, mean, square, tensor } from "@layerbraid/layerbraid/tensor";
 * import { validateBatches } from "@layerbraid/layerbraid/train";
 *
 * const wasm = await device("wasm", { threads: 1 });
 * const batches = [[1, 1, 1], [3]];
 * const { loss } = await validateBatches(wasm, batches, (batch) => ({
 *   weight: batch.length,
 *   loss: mean(square(tensor(batch))),
 * }));
 * console.log(loss); // 3
 * ```
 */
export async function validateBatches<B>(
  device: Device,
  batches: Iterable<B>,
  measure: (batch: B) => BatchMeasures,
): Promise<Validation> {
  const interval = readIntervalOf(device);
  const sums = new Map<string, { value: number; weight: number }>();
  let pending: Promise<WeightedNumber[]>[] = [];
  const read = async (): Promise<void> => {
    for (const [name, own] of (await Promise.all(pending)).flat()) {
      const sum = sums.get(name) ?? { value: 0, weight: 0 };
      sums.set(name, {
        value: sum.value + own.weight * own.value,
        weight: sum.weight + own.weight,
      });
    }
    pending = [];
  };
  for (const batch of batches) {
    const measures = evaluate(() => measure(batch));
    const numbers = weightedNumbers(measures);
    // A launch that throws meanwhile leaves nobody to hear of its fault.
    numbers.catch(() => {});
    pending.push(numbers);
    if (pending.length === interval) await read();
  }
  await read();
  const means = Object.fromEntries(
    [...sums].map(([name, { value, weight }]) => [name, value / weight]),
  );
  const { loss = NaN, ...metrics } = means;
  return { loss, metrics };
}

type WeightedNumber = readonly [
  name: string,
  { readonly value: number; readonly weight: number },
];

/** The values of a batch, whose tensors are consumed. */
async function weightedNumbers(
  { weight, lossWeight = weight, loss, metrics = {} }: BatchMeasures,
): Promise<WeightedNumber[]> {
  const tensors = { ...metrics, loss };
  try {
    const weighted = Object.entries(tensors).map(([name, value]) =>
      [name, value, name === "loss" ? lossWeight : weight] as const
    );
    return await Promise.all(
      // A mean over nothing may be NaN.
      weighted.filter(([, , weight]) => weight > 0).map(
        async ([name, value, weight]) =>
          [name, { value: await value.item(), weight }] as const,
      ),
    );
  } finally {
    dispose(tensors);
  }
}
