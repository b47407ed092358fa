import { type CountedText, frequentSubstrings } from "./frequent_substrings.ts";
import { nothing } from "./piece_trie.ts";
import { countPieces, piecesOf } from "./pieces.ts";
import { textNormalizer } from "./text_normalization.ts";
import type { TextChunks } from "./tokenizer.ts";
import {
  likeliestSegmentation,
  scoredPieces,
  SegmentationSums,
} from "./unigram_lattice.ts";
import {
  byteToken,
  spaceMark,
  unigramSpecial,
  type UnigramTokenizer,
  unigramTokenizer,
} from "./unigram_tokenizer.ts";

/** What `trainUnigram` is told. */
export interface UnigramOptions {
  /**
   * The number of ids wanted: 4 special tokens, 256 for bytes, the others for
   * pieces.
   */
  readonly vocabularySize: number;
  /**
   * Whether a text that doesn't begin with white space gets a space first, so
   * that its first word is a word like any other: good for sentences one by
   * one. Default `false`.
   */
  readonly prefix?: boolean;
}

/** A piece and the logarithm of its probability. */
interface Piece {
  readonly text: string;
  readonly score: number;
}

const reserved = unigramSpecial.length + 256;
const smallestVocabulary = reserved + 1;
/** The longest piece, in UTF-16 units, as in SentencePiece. */
const longestPiece = 16;
/** Longer words are cut, so that none takes much memory. */
const longestWord = 256;
/** How many pieces for each one wanted EM begins with. */
const seedFactor = 10;
/** How much of the text its characters with a piece of their own cover. */
const coverage = 0.9995;
/** Rounds of EM between two prunings, and what a pruning leaves. */
const roundsOfEm = 2;
const shrinkingFactor = 0.75;
/** Pruning ends a little above the size that is wanted. */
const slack = 1.1;
/** A piece expected fewer times than this is dropped. */
const fewestExpected = 0.5;
const normalization = [{ type: "NFKC" }] as const;

/**
 * Learns a unigram language model of pieces from a text (Kudo 2018, section
 * 3.2, in SentencePiece's form). The text, in Unicode's NFKC, is cut into words
 * by GPT-2's pattern. Ten frequent substrings for each piece that is wanted are
 * the seed; then, again and again, two rounds of EM (expected counts over all
 * segmentations; a digamma instead of the logarithm favours few pieces), and
 * only those three quarters of the pieces stay without which the likelihood
 * would fall most.
 *
 * The ids begin with `<pad>`, `</s>`, `<unk>`, `<s>` and the 256 bytes; the
 * pieces follow, the likeliest first. Every character has a piece but the
 * rarest, 0.05 % of the text, which become bytes. The same text always gives
 * the same tokenizer. The vocabulary is smaller than asked for when there
 * are not so many pieces.
 *
 * @throws {RangeError} If `vocabularySize` isn't an integer of 261 or more.
 */
export async function trainUnigram(
  text: TextChunks,
  options: UnigramOptions,
): Promise<UnigramTokenizer> {
  const { vocabularySize, prefix = false } = options;
  if (
    !Number.isInteger(vocabularySize) || vocabularySize < smallestVocabulary
  ) {
    throw new RangeError(
      `trainUnigram: vocabularySize ${vocabularySize}: expected an integer of at least ${smallestVocabulary}: 4 special tokens, 256 bytes and the pieces`,
    );
  }
  const wanted = vocabularySize - reserved;
  const normalize = textNormalizer(normalization);
  const counts = await countPieces(
    text,
    (chunk) =>
      piecesOf(normalize(chunk)).map((s) => s.replaceAll(" ", spaceMark)),
  );
  const characters = frequentCharacters(counts, wanted);
  const words = wordsOf(counts, new Set(characters.map(({ text }) => text)));
  const pieces = learnPieces(words, characters, wanted);
  return unigramTokenizer({
    vocabulary: [
      ...unigramSpecial,
      ...Array.from({ length: 256 }, (_, byte) => byteToken(byte)),
      ...pieces.map(({ text }) => text),
    ],
    scores: [
      ...new Array<number>(reserved).fill(0),
      ...pieces.map(({ score }) => score),
    ],
    special: unigramSpecial,
    unknown: "<unk>",
    bytes: true,
    normalization,
    cut: "words",
    prefix,
  });
}

/** The characters that get a piece: the most frequent ones. */
function frequentCharacters(
  words: ReadonlyMap<string, number>,
  wanted: number,
): readonly CountedText[] {
  const counts = new Map<string, number>();
  let all = 0;
  for (const [word, count] of words) {
    for (const character of word) {
      counts.set(character, (counts.get(character) ?? 0) + count);
      all += count;
    }
  }
  const sorted = [...counts]
    .map(([text, count]) => ({ text, count }))
    .sort((a, b) => b.count - a.count || (a.text < b.text ? -1 : 1));
  let covered = 0;
  const needed = sorted.findIndex(({ count }) =>
    (covered += count) >= coverage * all
  );
  return sorted.slice(0, Math.min(needed + 1, Math.max(1, wanted >> 1)));
}

/** The words, cut at characters that have no piece, and where they are long. */
function wordsOf(
  counts: ReadonlyMap<string, number>,
  characters: ReadonlySet<string>,
): readonly CountedText[] {
  const words = new Map<string, number>();
  const add = (text: string, count: number): void => {
    if (text !== "") words.set(text, (words.get(text) ?? 0) + count);
  };
  for (const [word, count] of counts) {
    let covered = "";
    for (const character of word) {
      if (characters.has(character)) covered += character;
      if (!characters.has(character) || covered.length >= longestWord) {
        add(covered, count);
        covered = "";
      }
    }
    add(covered, count);
  }
  return [...words].map(([text, count]) => ({ text, count }));
}

function learnPieces(
  words: readonly CountedText[],
  characters: readonly CountedText[],
  wanted: number,
): readonly Piece[] {
  const single = new Set(characters.map(({ text }) => text));
  const seeds = frequentSubstrings(words, {
    longest: longestPiece,
    most: seedFactor * wanted,
  }).filter(({ text }) => !single.has(text));
  const weights = [
    ...characters.map(({ count }) => count),
    ...seeds.map(({ text, count }) => count * text.length),
  ];
  const logSum = Math.log(weights.reduce((a, b) => a + b, 0));
  let pieces: readonly Piece[] = [...characters, ...seeds].map((
    { text },
    i,
  ) => ({ text, score: Math.log(weights[i]) - logSum }));

  const enough = Math.floor(slack * wanted);
  for (;;) {
    for (let round = 0; round < roundsOfEm; round++) {
      pieces = maximizeExpectation(pieces, words, single);
    }
    if (pieces.length <= enough) break;
    const size = Math.max(enough, Math.floor(shrinkingFactor * pieces.length));
    pieces = prune(pieces, words, single, size);
  }
  const sorted = pieces.toSorted(likelierFirst);
  const others = sorted.filter(({ text }) => !single.has(text));
  const kept = new Set(others.slice(0, wanted - single.size));
  return sorted.filter((piece) => single.has(piece.text) || kept.has(piece));
}

function likelierFirst(a: Piece, b: Piece): number {
  return b.score - a.score || (a.text < b.text ? -1 : 1);
}

function modelOf(pieces: readonly Piece[]): ReturnType<typeof scoredPieces> {
  return scoredPieces(
    pieces.map(({ text }) => text),
    pieces.map(({ score }) => score),
  );
}

/** One round of EM. Single characters stay, however rare they get. */
function maximizeExpectation(
  pieces: readonly Piece[],
  words: readonly CountedText[],
  single: ReadonlySet<string>,
): readonly Piece[] {
  const model = modelOf(pieces);
  const expected = new Float64Array(pieces.length);
  const sums = new SegmentationSums();
  for (const { text, count } of words) {
    sums.addExpected(text, count, model, expected);
  }
  const kept: { text: string; count: number }[] = [];
  pieces.forEach(({ text }, i) => {
    if (expected[i] >= fewestExpected) kept.push({ text, count: expected[i] });
    else if (single.has(text)) kept.push({ text, count: fewestExpected });
  });
  const total = digamma(kept.reduce((sum, { count }) => sum + count, 0));
  return kept.map(({ text, count }) => ({
    text,
    score: digamma(count) - total,
  }));
}

/**
 * The `size` pieces without which the likelihood of the text would fall most:
 * what their places in likeliest segmentations would lose if each were replaced
 * by the next best way to make it of other pieces.
 */
function prune(
  pieces: readonly Piece[],
  words: readonly CountedText[],
  single: ReadonlySet<string>,
  size: number,
): readonly Piece[] {
  const model = modelOf(pieces);
  const uses = new Float64Array(pieces.length);
  for (const { text, count } of words) {
    for (const piece of likeliestSegmentation(text, model, -Infinity).pieces) {
      if (piece !== nothing) uses[piece] += count;
    }
  }
  const all = uses.reduce((a, b) => a + b, 0);
  const losses = pieces.map(({ text }, i) => {
    if (single.has(text)) return Infinity;
    if (uses[i] === 0) return 0;
    const other = likeliestSegmentation(text, model, -Infinity, i).pieces;
    const allThen = Math.log(all + uses[i] * (other.length - 1));
    const otherScore = other.reduce(
      (sum, piece) => sum + Math.log(uses[piece] + uses[i]) - allThen,
      0,
    );
    return uses[i] * (Math.log(uses[i]) - Math.log(all) - otherScore);
  });
  const order = pieces.map((_, i) => i).sort((a, b) =>
    losses[a] === losses[b]
      ? likelierFirst(pieces[a], pieces[b])
      : losses[b] - losses[a]
  );
  return order.slice(0, Math.max(size, single.size)).map((i) => pieces[i]);
}

/** The digamma function for x > 0, to about 1e-9. */
function digamma(x: number): number {
  let shift = 0;
  while (x < 7) shift -= 1 / x++;
  const y = 1 / (x * x);
  return shift + Math.log(x) - 0.5 / x -
    y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))));
}
