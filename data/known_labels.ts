import { CorpusError } from "./corpus_error.ts";
import { shownJson } from "./json_fields.ts";
import { ignoredLabel } from "./masking.ts";

/**
 * Makes sure that data for a trained model has to do with its classes: some
 * label, at least, is one of them.
 *
 * @param name What errors call the data.
 * @param labels The class of each example, −100 for what is none of them.
 * @throws {CorpusError} If none is.
 */
export function requireKnownLabels(
  name: string,
  labels: Iterable<number>,
  classes: readonly string[],
): void {
  for (const label of labels) if (label !== ignoredLabel) return;
  throw new CorpusError(
    `${name}: none of its labels is a class of the training data; expected ` +
      `some of ${shownJson(classes)}`,
  );
}
