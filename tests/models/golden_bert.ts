/**
 * The BERT of the golden data: post-LN, with padding and segments.
 *
 * @module
 */

import {
  bertConfigurationFromHuggingFace,
  bertFromHuggingFace,
  type BertInputs,
  bertLogits,
  bertToHuggingFace,
} from "../../models/mod.ts";
import { crossEntropy, type Device } from "../../tensor/mod.ts";
import type { GoldenReader, GoldenSet } from "../golden_case.ts";
import { inputTensor, modelCases, readModel } from "./golden_model.ts";

/** BERT with padding and segments. */
export const goldenBert: GoldenSet = async (
  reader: GoldenReader,
  device: Device,
) => {
  const model = await readModel("bert", reader);
  const configuration = bertConfigurationFromHuggingFace(model.json.config);
  const inputs = (): BertInputs => ({
    tokens: inputTensor(model, "in.input_ids"),
    segments: inputTensor(model, "in.token_type_ids"),
    keep: inputTensor(model, "in.attention_mask", "bool"),
  });
  return modelCases(
    model,
    {
      load: () => bertFromHuggingFace(configuration, model.weights),
      save: (gradient) => bertToHuggingFace(configuration, gradient),
      logits: (parameters) => bertLogits(configuration, parameters, inputs()),
      loss: (parameters) =>
        crossEntropy(
          bertLogits(configuration, parameters, inputs()),
          inputTensor(model, "in.labels"),
        ),
    },
    device.floatDtype === "f64",
  );
};
