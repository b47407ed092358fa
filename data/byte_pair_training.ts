import { byteCharacters } from "./byte_alphabet.ts";
import { bytePairTokenizer } from "./byte_pair_tokenizer.ts";
import type { BytePairTokenizer } from "./byte_pair_tokenizer.ts";
import { ownPiece, pieceBytes, piecesOf } from "./pieces.ts";
import { PriorityQueue } from "./priority_queue.ts";
import { chunksOf, type TextChunks } from "./tokenizer.ts";

/** What `trainBytePairEncoding` is told. */
export interface BytePairOptions {
  /** The number of ids wanted: 256 for the bytes, the others for merges. */
  readonly vocabularySize: number;
}

/** A pair merged in fewer places than this would memorise, not compress. */
const fewestOccurrences = 2;

/**
 * Learns a byte-pair encoding from a text (Sennrich et al. 2016): again and
 * again the most frequent pair of neighbours in a piece becomes a token. Of
 * equally frequent pairs the one with the smaller left id, then the smaller
 * right id, comes first, so the same text always gives the same tokenizer.
 * The ids 0 to 255 are the bytes.
 *
 * The vocabulary is smaller than asked for when no pair occurs twice any more.
 *
 * @throws {RangeError} If `vocabularySize` isn't an integer of 256 or more.
 */
export async function trainBytePairEncoding(
  text: TextChunks,
  options: BytePairOptions,
): Promise<BytePairTokenizer> {
  const { vocabularySize } = options;
  if (!Number.isInteger(vocabularySize) || vocabularySize < 256) {
    throw new RangeError(
      `trainBytePairEncoding: vocabularySize ${vocabularySize}: expected an integer of at least 256, one id for each byte`,
    );
  }
  return learnMerges(await countPieces(text), vocabularySize);
}

/** How often each piece occurs, in the order of first occurrence. */
async function countPieces(text: TextChunks): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for await (const chunk of chunksOf(text)) {
    for (const piece of piecesOf(chunk)) {
      const count = counts.get(piece);
      if (count === undefined) counts.set(ownPiece(pieceBytes(piece)), 1);
      else counts.set(piece, count + 1);
    }
  }
  return counts;
}

/** A distinct piece of the text. */
interface Word {
  /** Its ids, as merged so far. */
  ids: Int32Array;
  /** How often the text has it. */
  readonly count: number;
}

/** Two neighbouring ids. */
interface Pair {
  readonly left: number;
  readonly right: number;
  /** How often they stand side by side in the text. */
  count: number;
  /** `count` when the pair was put into the queue. */
  queuedCount: number;
  /** The words that have it, or had it once. */
  readonly words: Word[];
}

/** All pairs, their counts kept current while words change. */
class PairCounts {
  readonly pairs: Pair[] = [];
  readonly #indices = new Map<number, number>();
  readonly #idLimit: number;

  constructor(idLimit: number) {
    this.#idLimit = idLimit;
  }

  /** Adds occurrences of a pair in a word; returns the pair's index. */
  add(left: number, right: number, word: Word): number {
    const key = left * this.#idLimit + right;
    let index = this.#indices.get(key);
    if (index === undefined) {
      index = this.pairs.length;
      this.#indices.set(key, index);
      this.pairs.push({ left, right, count: 0, queuedCount: 0, words: [] });
    }
    const pair = this.pairs[index];
    pair.count += word.count;
    if (pair.words.at(-1) !== word) pair.words.push(word);
    return index;
  }

  /** Takes away occurrences of a pair that was added before. */
  remove(left: number, right: number, word: Word): void {
    const index = this.#indices.get(left * this.#idLimit + right);
    if (index !== undefined) this.pairs[index].count -= word.count;
  }
}

function learnMerges(
  pieces: ReadonlyMap<string, number>,
  vocabularySize: number,
): BytePairTokenizer {
  const tokens = [...byteCharacters];
  const merges: string[] = [];

  const counts = new PairCounts(vocabularySize);
  const { pairs } = counts;
  for (const [piece, count] of pieces) {
    const word = { ids: Int32Array.from(pieceBytes(piece)), count };
    for (let i = 0; i + 1 < word.ids.length; i++) {
      counts.add(word.ids[i], word.ids[i + 1], word);
    }
  }

  const queue = new PriorityQueue((a, b) => isMoreFrequent(pairs[a], pairs[b]));
  const enqueue = (index: number): void => {
    const pair = pairs[index];
    pair.queuedCount = pair.count;
    if (pair.count >= fewestOccurrences) queue.push(index);
  };
  for (let index = 0; index < pairs.length; index++) enqueue(index);

  while (tokens.length < vocabularySize) {
    const index = queue.pop();
    if (index === undefined) break;
    const pair = pairs[index];
    // Merges since it was queued may have made the pair rarer, never more
    // frequent: put back, it comes up again where it belongs.
    if (pair.count !== pair.queuedCount) {
      enqueue(index);
      continue;
    }
    const left = tokens[pair.left];
    const right = tokens[pair.right];
    // No other pair gives this token: where neighbours spell the same text,
    // all merges happened inside of it, so the same ones in the same order.
    const id = tokens.length;
    tokens.push(left + right);
    merges.push(`${left} ${right}`);
    const changed = new Set<number>();
    for (const word of pair.words) mergeInWord(word, pair, id, counts, changed);
    for (const newIndex of changed) enqueue(newIndex);
  }
  const vocabulary = Object.fromEntries(tokens.map((token, id) => [token, id]));
  return bytePairTokenizer({ vocabulary, merges });
}

function isMoreFrequent(a: Pair, b: Pair): boolean {
  if (a.queuedCount !== b.queuedCount) return a.queuedCount > b.queuedCount;
  return a.left !== b.left ? a.left < b.left : a.right < b.right;
}

/** Replaces a pair in a word by `id`; adds the pairs that arise to `changed`. */
function mergeInWord(
  word: Word,
  pair: Pair,
  id: number,
  counts: PairCounts,
  changed: Set<number>,
): void {
  const { ids } = word;
  const { left, right } = pair;
  let length = 0;
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] !== left || i + 1 === ids.length || ids[i + 1] !== right) {
      ids[length++] = ids[i];
      continue;
    }
    if (length > 0) {
      counts.remove(ids[length - 1], left, word);
      changed.add(counts.add(ids[length - 1], id, word));
    }
    if (i + 2 < ids.length) {
      counts.remove(right, ids[i + 2], word);
      changed.add(counts.add(id, ids[i + 2], word));
    }
    ids[length++] = id;
    i++;
  }
  word.ids = ids.subarray(0, length);
}
