/**
 * The GPT-2 models of the golden data: logits, loss, gradients and greedy
 * generation.
 *
 * @module
 */

import { valueAndGrad } from "../../autograd/mod.ts";
import {
  generate,
  gptConfigurationFromHuggingFace,
  gptFromHuggingFace,
  gptLogits,
  type GptParameters,
  gptToHuggingFace,
} from "../../models/mod.ts";
import {
  contiguous,
  crossEntropy,
  type Device,
  slice,
  type Tensor,
  tensor,
} from "../../tensor/mod.ts";
import {
  check,
  deviation,
  type GoldenCase,
  type GoldenReader,
  type GoldenSet,
} from "../golden_case.ts";

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

async function goldenModel(
  name: string,
  reader: GoldenReader,
  double: boolean,
): Promise<GoldenCase[]> {
  const json = await reader.json(`models/${name}.json`);
  const io = await reader.arrays(`models/${name}.io.safetensors`);
  const arrays = await reader.arrays(`models/${name}.weights.safetensors`);
  const configuration = gptConfigurationFromHuggingFace(json.config);
  const load = (key: string, dtype?: "bool"): Tensor =>
    tensor(io[key].values, { shape: io[key].shape, dtype });
  const inputs = (): { tokens: Tensor; keep: Tensor | undefined } => ({
    tokens: load("in.input_ids"),
    keep: io["in.attention_mask"] && load("in.attention_mask", "bool"),
  });

  // Tolerances of the golden README: logits 2e-5 (f64 1e-10), loss 1e-5.
  async function checkLogits(): Promise<void> {
    const parameters = gptFromHuggingFace(configuration, arrays);
    const { tokens, keep } = inputs();
    const logits = gptLogits(configuration, parameters, tokens, { keep });
    const expected = io[double ? "logits64" : "logits"].values;
    const tolerance = double ? 1e-10 : 2e-5;
    const off = deviation(await logits.data(), expected, 0, tolerance);
    check(off <= 1, `off by ${off} tolerances`);
  }

  // Each gradient 1e-5 of its max-norm + 1e-6; in f64 the stored f32 limit it.
  async function checkGradients(): Promise<void> {
    const parameters = gptFromHuggingFace(configuration, arrays);
    const { tokens, keep } = inputs();
    const length = tokens.shape[1];
    const labels = slice(load("in.labels"), [undefined, [1, length]]);
    const { value, gradient } = valueAndGrad((p: GptParameters) => {
      const logits = gptLogits(configuration, p, tokens, { keep });
      return crossEntropy(
        slice(logits, [undefined, [0, length - 1]]),
        contiguous(labels),
      );
    })(parameters);
    const loss = await value.item();
    check(
      Math.abs(loss - json.loss) <= (double ? 1e-10 : 1e-5),
      `loss ${loss}, expected ${json.loss}`,
    );
    const relative = double ? 1e-6 : 1e-5;
    const gradients = await gptToHuggingFace(configuration, gradient);
    for (const [key, { values }] of Object.entries(gradients)) {
      const expected = io[`grad.${key}`].values;
      const off = maxNormDeviation(values, expected, relative, 1e-6);
      check(off <= 1, `gradient of ${key} off by ${off} tolerances`);
    }
  }

  async function checkGreedy(cache: boolean): Promise<void> {
    const parameters = gptFromHuggingFace(configuration, arrays);
    const { prompt, tokens } = json.greedy;
    const made: number[] = [...prompt];
    const count = tokens.length - prompt.length;
    const options = { count, temperature: 0, cache };
    for await (
      const token of generate(configuration, parameters, prompt, options)
    ) made.push(token);
    check(`${made}` === `${tokens}`, `made ${made}, expected ${tokens}`);
  }

  const cases: GoldenCase[] = [
    { name: `${name}: logits`, run: checkLogits },
    { name: `${name}: loss and gradients`, run: checkGradients },
  ];
  if (json.greedy === undefined) return cases;
  return [
    ...cases,
    { name: `${name}: greedy, with cache`, run: () => checkGreedy(true) },
    { name: `${name}: greedy, without`, run: () => checkGreedy(false) },
  ];
}

/** GPT-2, without and with padding. */
export const goldenGpt: GoldenSet = async (
  reader: GoldenReader,
  device: Device,
) => {
  const double = device.floatDtype === "f64";
  return [
    ...await goldenModel("gpt2", reader, double),
    ...await goldenModel("gpt2_b", reader, double),
  ];
};
