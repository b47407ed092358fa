/**
 * The encoder–decoders of the golden data.
 *
 * @module
 */

import {
  encoderDecoderConfigurationFromHuggingFace,
  encoderDecoderFromHuggingFace,
  type EncoderDecoderInputs,
  encoderDecoderLogits,
  encoderDecoderLoss,
  encoderDecoderToHuggingFace,
} from "../../models/mod.ts";
import type { Device } from "../../tensor/mod.ts";
import type { GoldenCase, GoldenReader, GoldenSet } from "../golden_case.ts";
import { inputTensor, modelCases, readModel } from "./golden_model.ts";

async function goldenModel(
  name: string,
  reader: GoldenReader,
  double: boolean,
): Promise<GoldenCase[]> {
  const model = await readModel(name, reader);
  const configuration = encoderDecoderConfigurationFromHuggingFace(
    model.json.config,
  );
  const inputs = (): EncoderDecoderInputs => ({
    source: inputTensor(model, "in.input_ids"),
    sourceKeep: inputTensor(model, "in.attention_mask", "bool"),
    target: inputTensor(model, "in.decoder_input_ids"),
  });
  return modelCases(
    model,
    {
      load: () => encoderDecoderFromHuggingFace(configuration, model.weights),
      save: async (gradient) => {
        const { final_logits_bias: _buffer, ...gradients } =
          await encoderDecoderToHuggingFace(configuration, gradient);
        return gradients;
      },
      logits: (parameters) =>
        encoderDecoderLogits(configuration, parameters, inputs()),
      loss: (parameters) =>
        encoderDecoderLoss(
          configuration,
          parameters,
          inputs(),
          inputTensor(model, "in.labels"),
        ),
    },
    double,
  );
}

/** Pre-LN and, as Marian, post-LN. */
export const goldenEncoderDecoder: GoldenSet = async (
  reader: GoldenReader,
  device: Device,
) => {
  const double = device.floatDtype === "f64";
  return [
    ...await goldenModel("encdec_preln", reader, double),
    ...await goldenModel("marian_postln", reader, double),
  ];
};
