/**
 * The GPT-2 models of the golden data: logits, loss, gradients and greedy
 * generation.
 *
 * @module
 */

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
} from "../../tensor/mod.ts";
import {
  check,
  type GoldenCase,
  type GoldenReader,
  type GoldenSet,
} from "../golden_case.ts";
import { inputTensor, modelCases, readModel } from "./golden_model.ts";

async function goldenGpt2(
  name: string,
  reader: GoldenReader,
  double: boolean,
): Promise<readonly GoldenCase[]> {
  const model = await readModel(name, reader);
  const { json, io, weights } = model;
  const configuration = gptConfigurationFromHuggingFace(json.config);
  const load = (): GptParameters => gptFromHuggingFace(configuration, weights);
  const logits = (parameters: GptParameters): Tensor => {
    const tokens = inputTensor(model, "in.input_ids");
    const keep = "in.attention_mask" in io
      ? inputTensor(model, "in.attention_mask", "bool")
      : undefined;
    return gptLogits(configuration, parameters, tokens, { keep });
  };
  const cases = modelCases(
    model,
    {
      load,
      save: (gradient) => gptToHuggingFace(configuration, gradient),
      logits,
      loss: (parameters) => {
        const labels = inputTensor(model, "in.labels");
        const length = labels.shape[1];
        return crossEntropy(
          slice(logits(parameters), [undefined, [0, length - 1]]),
          contiguous(slice(labels, [undefined, [1, length]])),
        );
      },
    },
    double,
  );

  async function checkGreedy(cache: boolean): Promise<void> {
    const parameters = load();
    const { prompt, tokens } = json.greedy;
    const made: number[] = [...prompt];
    const count = tokens.length - prompt.length;
    const options = { count, temperature: 0, cache };
    for await (
      const token of generate(configuration, parameters, prompt, options)
    ) made.push(token);
    check(`${made}` === `${tokens}`, `made ${made}, expected ${tokens}`);
  }

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
    ...await goldenGpt2("gpt2", reader, double),
    ...await goldenGpt2("gpt2_b", reader, double),
  ];
};
