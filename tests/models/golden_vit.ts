/**
 * The ViT of the golden data.
 *
 * @module
 */

import {
  vitConfigurationFromHuggingFace,
  vitFromHuggingFace,
  vitLogits,
  vitLoss,
  vitToHuggingFace,
} from "../../models/mod.ts";
import type { Device, Tensor } from "../../tensor/mod.ts";
import type { GoldenReader, GoldenSet } from "../golden_case.ts";
import { inputTensor, modelCases, readModel } from "./golden_model.ts";

/** ViT for classification. */
export const goldenVit: GoldenSet = async (
  reader: GoldenReader,
  device: Device,
) => {
  const model = await readModel("vit", reader);
  const configuration = vitConfigurationFromHuggingFace(model.json.config);
  const pixels = (): Tensor => inputTensor(model, "in.pixel_values");
  return modelCases(
    model,
    {
      load: () => vitFromHuggingFace(configuration, model.weights),
      save: (gradient) => vitToHuggingFace(configuration, gradient),
      logits: (parameters) => vitLogits(configuration, parameters, pixels()),
      loss: (parameters) => {
        const labels = inputTensor(model, "in.labels");
        return vitLoss(configuration, parameters, pixels(), labels);
      },
    },
    device.floatDtype === "f64",
  );
};
