/**
 * A training run from a seed, the same in every environment.
 *
 * @module
 */

import { train } from "../../train/mod.ts";
import { tinyGpt, tinyOptions } from "../train/tiny_gpt.ts";

/** The losses of 50 steps on the default device. */
export async function trainingLosses(): Promise<number[]> {
  const losses: number[] = [];
  const options = tinyOptions(50, { evaluationInterval: 50 });
  for await (const event of train(tinyGpt(), options)) {
    if (event.type === "step") losses.push(event.loss);
  }
  return losses;
}
