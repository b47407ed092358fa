/** The words of a sentence, each with its class. */
export interface TaggedSentence {
  /** The words as they are written, at least one. */
  readonly words: readonly string[];
  /** The tag of each word. */
  readonly tags: readonly string[];
}
