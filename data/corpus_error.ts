/** A text that can't be trained on, and why: a mistake in what was given. */
export class CorpusError extends Error {
  /** The name of the class. */
  override readonly name: string = "CorpusError";
}
