/**
 * What the golden models have in common: logits, the loss and every gradient,
 * compared within the golden README's tolerances.
 *
 * @module
 */

import { valueAndGrad } from "../../autograd/mod.ts";
import type { HostArray } from "../../models/mod.ts";
import { type Tensor, tensor, type Tree } from "../../tensor/mod.ts";
import {
  type Arrays,
  check,
  deviation,
  type GoldenCase,
  type GoldenReader,
} from "../golden_case.ts";

/** The files of one model. */
export interface GoldenModel {
  /** As in the file names. */
  readonly name: string;
  /** The JSON file. */
  // deno-lint-ignore no-explicit-any -- the recipe's layout, see its README
  readonly json: any;
  /** Inputs and outputs. */
  readonly io: Arrays;
  /** Weights under Hugging Face's names. */
  readonly weights: Arrays;
}

/** Reads a model's files. */
export async function readModel(
  name: string,
  reader: GoldenReader,
): Promise<GoldenModel> {
  return {
    name,
    json: await reader.json(`models/${name}.json`),
    io: await reader.arrays(`models/${name}.io.safetensors`),
    weights: await reader.arrays(`models/${name}.weights.safetensors`),
  };
}

/** A tensor of the model's inputs and outputs. */
export function inputTensor(
  { io }: GoldenModel,
  name: string,
  dtype?: "bool",
): Tensor {
  return tensor(io[name].values, { shape: io[name].shape, dtype });
}

/** How a model is computed. */
export interface ModelFunctions<P extends Tree> {
  /** Fresh parameters from the model's weights. */
  readonly load: () => P;
  /** Gradients under the names of the files. */
  readonly save: (gradient: P) => Promise<Readonly<Record<string, HostArray>>>;
  /** The model's logits for its inputs. */
  readonly logits: (parameters: P) => Tensor;
  /** Its loss. */
  readonly loss: (parameters: P) => Tensor;
}

/** Largest deviation from a golden array, relative to its largest element. */
function maxNormDeviation(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  relative: number,
  absolute: number,
): number {
  const largest = Math.max(...Array.from(expected, Math.abs));
  return deviation(actual, expected, 0, relative * largest + absolute);
}

/** The cases of a model, in double precision or not. */
export function modelCases<P extends Tree>(
  { name, json, io }: GoldenModel,
  { load, save, logits, loss }: ModelFunctions<P>,
  double: boolean,
): GoldenCase[] {
  // Tolerances of the golden README: logits 2e-5 (f64 1e-10), loss 1e-5.
  async function checkLogits(): Promise<void> {
    const expected = io[double ? "logits64" : "logits"].values;
    const tolerance = double ? 1e-10 : 2e-5;
    const actual = await logits(load()).data();
    const off = deviation(actual, expected, 0, tolerance);
    check(off <= 1, `off by ${off} tolerances`);
  }

  // Each gradient 1e-5 of its max-norm + 1e-6; in f64 the stored f32 limit it.
  async function checkGradients(): Promise<void> {
    const { value, gradient } = valueAndGrad(loss)(load());
    const found = await value.item();
    check(
      Math.abs(found - json.loss) <= (double ? 1e-10 : 1e-5),
      `loss ${found}, expected ${json.loss}`,
    );
    const gradients = await save(gradient);
    for (const key of Object.keys(io)) {
      const name = key.startsWith("grad.") ? key.slice(5) : undefined;
      check(name === undefined || name in gradients, `no gradient of ${name}`);
    }
    const relative = double ? 1e-6 : 1e-5;
    for (const [key, { values }] of Object.entries(gradients)) {
      const expected = io[`grad.${key}`].values;
      const off = maxNormDeviation(values, expected, relative, 1e-6);
      check(off <= 1, `gradient of ${key} off by ${off} tolerances`);
    }
  }

  return [
    { name: `${name}: logits`, run: checkLogits },
    { name: `${name}: loss and gradients`, run: checkGradients },
  ];
}
