import { CorpusError } from "./corpus_error.ts";
import { encodeUserText } from "./encode_user_text.ts";
import { paddedLength } from "./examples_by_length.ts";
import { requireKnownLabels } from "./known_labels.ts";
import type { RowLayout } from "./labelled_examples.ts";
import { ignoredLabel } from "./masking.ts";
import type { TaggedSentence } from "./tagged_sentence.ts";

/** A sentence, or a part of a long one, in the tokens of a pretrained model. */
export interface PieceRow {
  /** The tokens, with the layout's ends. */
  readonly tokens: Int32Array;
  /** Where each word begins. */
  readonly firsts: Int32Array;
  /** The class of each word; −100 for a tag that is none of the classes. */
  readonly labels: Int32Array;
}

/** Sentences in the tokens of a pretrained model, with classes of words. */
export interface TaggedPieces {
  /** The names of the classes. */
  readonly classes: readonly string[];
  /** How sentences became rows. */
  readonly layout: RowLayout;
  /** The rows. */
  readonly rows: readonly PieceRow[];
  /** The number of all words. */
  readonly words: number;
}

/** Rows of one length. */
export interface PieceBatch {
  /** Ids, `[batch, sequence]`. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** 1 at tokens, 0 in padding. */
  readonly keep: Uint8Array<ArrayBuffer>;
  /** 1 where a word begins. */
  readonly firsts: Uint8Array<ArrayBuffer>;
  /** The class where a word begins, −100 elsewhere. */
  readonly labels: Int32Array<ArrayBuffer>;
  /** The number of rows. */
  readonly batch: number;
  /** The length that they are padded to. */
  readonly sequence: number;
  /** The number of words. */
  readonly words: number;
}

/**
 * Encodes sentences for the fine-tuning of a pretrained model: a word is the
 * pieces that the tokenizer makes of it, and its class stands at the first of
 * them (Devlin et al. 2019, "BERT", section 5.3). Sentences that don't fit the
 * layout's context are cut between words.
 *
 * @param name What the sentences are called in messages.
 * @param classes The names of the classes, those of a trained model; default:
 * all tags that there are, sorted.
 * @throws {CorpusError} If there is no sentence.
 */
export async function encodeTaggedPieces(
  name: string,
  sentences: AsyncIterable<TaggedSentence> | Iterable<TaggedSentence>,
  layout: RowLayout,
  classes?: readonly string[],
): Promise<TaggedPieces> {
  const known = new Map<string, number>();
  classes?.forEach((tag, label) => known.set(tag, label));
  const rows: PieceRow[] = [];
  let words = 0;
  for await (const sentence of sentences) {
    words += sentence.words.length;
    const labels = sentence.tags.map((tag) => {
      if (classes === undefined && !known.has(tag)) {
        // A copy: a part of a line would keep all of it in memory.
        known.set([...tag].join(""), known.size);
      }
      return known.get(tag) ?? ignoredLabel;
    });
    rows.push(
      ...encodeUserText(name, () => rowsOf(sentence.words, labels, layout)),
    );
  }
  if (rows.length === 0) {
    throw new CorpusError(`${name}: there is no sentence in it`);
  }
  if (classes !== undefined) {
    requireKnownLabels(
      name,
      rows.flatMap(({ labels }) => [...labels]),
      classes,
    );
  }
  const found = [...known.keys()];
  const names = classes ?? found.toSorted();
  const newLabels = found.map((tag) => names.indexOf(tag));
  return {
    classes: names,
    layout,
    rows: rows.map((row) => ({
      ...row,
      labels: row.labels.map((label) => newLabels[label] ?? ignoredLabel),
    })),
    words,
  };
}

function rowsOf(
  words: readonly string[],
  labels: readonly number[],
  layout: RowLayout,
): PieceRow[] {
  const { context, begin, end } = layout;
  const ends = +(begin !== undefined) + +(end !== undefined);
  const room = Math.max(1, context - ends);
  const rows: PieceRow[] = [];
  let pieces: number[] = [];
  let firsts: number[] = [];
  let own: number[] = [];
  const finish = (): void => {
    const offset = begin === undefined ? 0 : 1;
    rows.push({
      tokens: Int32Array.from([
        ...(begin === undefined ? [] : [begin]),
        ...pieces,
        ...(end === undefined ? [] : [end]),
      ]),
      firsts: Int32Array.from(firsts, (place) => place + offset),
      labels: Int32Array.from(own),
    });
    [pieces, firsts, own] = [[], [], []];
  };
  words.forEach((word, i) => {
    const ids = piecesOfWord(word, i, layout).subarray(0, room);
    if (pieces.length + ids.length > room) finish();
    firsts.push(pieces.length);
    own.push(labels[i]);
    pieces.push(...ids);
  });
  if (own.length > 0) finish();
  return rows;
}

/** The tokens of a word, at least one; a space stands before all but the first. */
function piecesOfWord(
  word: string,
  place: number,
  { tokenizer, padding }: RowLayout,
): Int32Array {
  const ids = tokenizer.encode(place === 0 ? word : ` ${word}`);
  if (ids.length > 0) return ids;
  const { special } = tokenizer;
  return Int32Array.of(special.get("[UNK]") ?? special.get("<unk>") ?? padding);
}

/** The batch of some rows, padded to the longest of them. */
export function pieceBatch(
  { rows, layout }: TaggedPieces,
  indices: ArrayLike<number>,
): PieceBatch {
  const chosen = Array.from(indices, (index) => rows[index]);
  const sequence = paddedLength(
    chosen.map(({ tokens }) => tokens.length),
    layout.context,
  );
  const size = chosen.length * sequence;
  const batch = {
    tokens: new Int32Array(size).fill(layout.padding),
    keep: new Uint8Array(size),
    firsts: new Uint8Array(size),
    labels: new Int32Array(size).fill(ignoredLabel),
    batch: chosen.length,
    sequence,
    words: chosen.reduce((sum, { labels }) => sum + labels.length, 0),
  };
  chosen.forEach(({ tokens, firsts, labels }, row) => {
    const start = row * sequence;
    batch.tokens.set(tokens, start);
    batch.keep.fill(1, start, start + tokens.length);
    firsts.forEach((place, word) => {
      batch.firsts[start + place] = 1;
      batch.labels[start + place] = labels[word];
    });
  });
  return batch;
}
