import { CorpusError } from "./corpus_error.ts";
import { encodeUserText } from "./encode_user_text.ts";
import { paddedLength } from "./examples_by_length.ts";
import { requireKnownLabels } from "./known_labels.ts";
import type { LabelledText } from "./labelled_text.ts";
import { ignoredLabel } from "./masking.ts";
import { shuffled } from "./random.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** How a text, or a pair of texts, becomes a row of tokens. */
export interface RowLayout {
  /** Makes the tokens. */
  readonly tokenizer: Tokenizer;
  /** The most tokens of a row; longer ones are cut. */
  readonly context: number;
  /** The id that a row begins with, `[CLS]`; default: none. */
  readonly begin?: number;
  /** The id behind each text, `[SEP]`; default: none. */
  readonly end?: number;
  /** The id of padding. */
  readonly padding: number;
}

/** A row of tokens. */
export interface TextRow {
  /** The ids. */
  readonly tokens: Int32Array;
  /** How many of them are of the first segment; the others are of the second. */
  readonly first: number;
}

/** Encoded texts with their labels, one after the other. */
export interface LabelledExamples {
  /** The names of the classes; none where labels are numbers. */
  readonly classes: readonly string[];
  /** How texts became rows. */
  readonly layout: RowLayout;
  /** The number of texts. */
  readonly count: number;
  /** The number of tokens of each. */
  readonly lengths: Int32Array;
  /** How many of them are of the first segment. */
  readonly firsts: Int32Array;
  /** Where each begins among all tokens. */
  readonly starts: Int32Array;
  /** The tokens of all texts. */
  readonly tokens: Int32Array;
  /** The class of each, −100 for one that isn't known; or the numbers. */
  readonly labels: Float64Array;
}

/** Rows of one length. */
export interface LabelledBatch {
  /** Ids, `[batch, sequence]`. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** 0 in the first segment and in padding, 1 in the second. */
  readonly segments: Int32Array<ArrayBuffer>;
  /** 1 at tokens, 0 in padding. */
  readonly keep: Uint8Array<ArrayBuffer>;
  /** The labels, `[batch]`. */
  readonly labels: Float64Array<ArrayBuffer>;
  /** The number of rows. */
  readonly batch: number;
  /** The length that they are padded to. */
  readonly sequence: number;
}

/**
 * The row of a text, `[CLS] text [SEP]`, or of a pair, `[CLS] text [SEP] pair
 * [SEP]`, without the marks that the layout has not. Of a row that is too long
 * the end of the longer text is cut, token by token.
 */
export function encodeRow(
  { text, pair }: Pick<LabelledText, "text" | "pair">,
  { tokenizer, context, begin, end }: RowLayout,
): TextRow {
  const texts = (pair === undefined ? [text] : [text, pair])
    .map((part) => tokenizer.encode(part));
  const marks = +(begin !== undefined) +
    (end === undefined ? 0 : texts.length);
  const room = Math.max(0, context - marks);
  const lengths = texts.map(({ length }) => length);
  const [one, other = 0] = lengths;
  if (one + other > room) {
    // What the shorter one leaves, and half of the room at least.
    const half = Math.floor(room / 2);
    const kept = Math.min(one, Math.max(room - other, room - half));
    lengths.splice(0, 2, ...[kept, room - kept].slice(0, texts.length));
  }
  const ids: number[] = begin === undefined ? [] : [begin];
  let first = 0;
  texts.forEach((tokens, place) => {
    for (let i = 0; i < lengths[place]; i++) ids.push(tokens[i]);
    if (end !== undefined) ids.push(end);
    if (place === 0) first = ids.length;
  });
  return { tokens: Int32Array.from(ids), first };
}

/**
 * Encodes labelled texts. Only tokens and labels are kept.
 *
 * @param name What the texts are called in messages.
 * @param labels The names of the classes, those of a trained model, or
 * `numbers`; default: all labels that there are, sorted.
 * @throws {CorpusError} If there is no text, nothing of one is left, the
 * tokenizer lacks a character of it, or no label is among those given.
 */
export async function encodeLabelled(
  name: string,
  texts: AsyncIterable<LabelledText> | Iterable<LabelledText>,
  layout: RowLayout,
  labels?: readonly string[] | "numbers",
): Promise<LabelledExamples> {
  const known = new Map<string, number>();
  if (Array.isArray(labels)) labels.forEach((label, i) => known.set(label, i));
  const rows: TextRow[] = [];
  const found: number[] = [];
  for await (const labelled of texts) {
    const row = encodeUserText(name, () => encodeRow(labelled, layout));
    if (row.tokens.length === 0) {
      throw new CorpusError(
        `${name}: the tokenizer makes no token of the text ${
          JSON.stringify(labelled.text)
        }; leave it out`,
      );
    }
    rows.push(row);
    const { label } = labelled;
    if (labels === "numbers") found.push(Number(label));
    else {
      if (labels === undefined && !known.has(label)) {
        known.set(label, known.size);
      }
      found.push(known.get(label) ?? ignoredLabel);
    }
  }
  if (rows.length === 0) {
    throw new CorpusError(`${name}: there is no labelled text in it`);
  }
  if (Array.isArray(labels)) requireKnownLabels(name, found, labels);
  const names = [...known.keys()];
  const classes = Array.isArray(labels) ? labels : names.toSorted();
  const order = names.map((label) => classes.indexOf(label));
  return {
    classes,
    layout,
    ...joined(rows),
    labels: Float64Array.from(
      labels === "numbers" ? found : found.map((i) => order[i] ?? ignoredLabel),
    ),
  };
}

/** Rows one after the other. */
function joined(
  rows: readonly TextRow[],
): Pick<
  LabelledExamples,
  "count" | "lengths" | "firsts" | "starts" | "tokens"
> {
  const lengths = Int32Array.from(rows, ({ tokens }) => tokens.length);
  const starts = new Int32Array(rows.length);
  for (let i = 1; i < rows.length; i++) {
    starts[i] = starts[i - 1] + lengths[i - 1];
  }
  const tokens = new Int32Array(lengths.reduce((sum, n) => sum + n, 0));
  rows.forEach((row, i) => tokens.set(row.tokens, starts[i]));
  return {
    count: rows.length,
    lengths,
    firsts: Int32Array.from(rows, ({ first }) => first),
    starts,
    tokens,
  };
}

/** Two parts of the examples, the second with a share of them. */
export interface LabelledSplit {
  /** To train on. */
  readonly train: LabelledExamples;
  /** To measure on. */
  readonly validation: LabelledExamples;
  /** Which of all examples are to measure on, in order. */
  readonly measured: Int32Array;
}

/**
 * Keeps a share of the examples for validation: drawn without regard to their
 * order, which often goes by label, and always the same.
 */
export function splitLabelled(
  examples: LabelledExamples,
  share: number,
): LabelledSplit {
  const { count } = examples;
  const end = count - Math.floor(count * share);
  const drawn = (start: number, stop: number): Int32Array =>
    Int32Array.from(
      { length: stop - start },
      (_, i) => shuffled(start + i, count, 0, 0),
    ).sort();
  const part = (chosen: Int32Array): LabelledExamples => ({
    ...examples,
    count: chosen.length,
    lengths: chosen.map((i) => examples.lengths[i]),
    firsts: chosen.map((i) => examples.firsts[i]),
    starts: chosen.map((i) => examples.starts[i]),
    labels: Float64Array.from(chosen, (i) => examples.labels[i]),
  });
  const measured = drawn(end, count);
  return {
    train: part(drawn(0, end)),
    validation: part(measured),
    measured,
  };
}

/** The batch of some examples, padded to the longest of them. */
export function labelledBatch(
  examples: LabelledExamples,
  chosen: ArrayLike<number>,
): LabelledBatch {
  const { lengths, firsts, starts, tokens, labels, layout } = examples;
  const rows = Array.from(chosen);
  const sequence = paddedLength(
    rows.map((example) => lengths[example]),
    layout.context,
  );
  const size = rows.length * sequence;
  const result = {
    tokens: new Int32Array(size).fill(layout.padding),
    segments: new Int32Array(size),
    keep: new Uint8Array(size),
    labels: Float64Array.from(rows, (example) => labels[example]),
    batch: rows.length,
    sequence,
  };
  rows.forEach((example, row) => {
    const start = starts[example];
    const to = row * sequence;
    const end = to + lengths[example];
    result.tokens.set(tokens.subarray(start, start + lengths[example]), to);
    result.segments.fill(1, to + firsts[example], end);
    result.keep.fill(1, to, end);
  });
  return result;
}
