/** A sentence and its translation. */
export interface SentencePair {
  /** What is translated. */
  readonly source: string;
  /** What it is translated into. */
  readonly target: string;
}
