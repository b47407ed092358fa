/**
 * From options to the shape of a model.
 *
 * @module
 */

import type { Tokenizer } from "../data/mod.ts";
import { type GptConfiguration, gptConfiguration } from "../models/mod.ts";
import { fromOptions } from "./failure.ts";
import type { TrainValues } from "./train_command.ts";

/** The options that shape a model. */
export type ModelValues = Pick<
  TrainValues,
  "seq" | "dim" | "heads" | "layers" | "before" | "after" | "endTime" | "untied"
>;

/**
 * The model that options ask for.
 *
 * @throws {UsageError} If there can't be such a model.
 */
export function modelConfiguration(
  values: ModelValues,
  { vocabularySize }: Pick<Tokenizer, "vocabularySize">,
): GptConfiguration {
  return fromOptions(() =>
    gptConfiguration({
      vocabulary: vocabularySize,
      context: values.seq,
      width: values.dim,
      heads: values.heads,
      layers: values.layers,
      before: values.before,
      after: values.after,
      endTime: values.endTime,
      tied: !values.untied,
    })
  );
}
