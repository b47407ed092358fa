import { PriorityQueue } from "./priority_queue.ts";

/** A pair merged in fewer places than this would memorise, not compress. */
const fewestOccurrences = 2;

/** A distinct word or piece of the text. */
export interface Word {
  /** Its ids, as merged so far. */
  ids: Int32Array;
  /** How often the text has it. */
  readonly count: number;
}

/** Two neighbouring ids that become one. */
export interface Merge {
  /** The id on the left. */
  readonly left: number;
  /** The id on the right. */
  readonly right: number;
}

/** Two neighbouring ids. */
interface Pair extends Merge {
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

/**
 * The merges of a byte-pair encoding (Sennrich et al. 2016, algorithm 1): again
 * and again the most frequent pair of neighbours in a word becomes an id. Of
 * equally frequent pairs the one with the smaller left id, then the smaller
 * right id, comes first. The first merge makes the id `firstId`, and so on.
 *
 * @param words The words; their ids, below `firstId`, are merged in place.
 * @param limit The number of ids at which to stop. There are fewer when no pair
 * occurs twice any more.
 */
export function learnMerges(
  words: readonly Word[],
  firstId: number,
  limit: number,
): readonly Merge[] {
  const merges: Merge[] = [];
  const counts = new PairCounts(limit);
  const { pairs } = counts;
  for (const word of words) {
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

  while (firstId + merges.length < limit) {
    const index = queue.pop();
    if (index === undefined) break;
    const pair = pairs[index];
    // Merges since it was queued may have made the pair rarer, never more
    // frequent: put back, it comes up again where it belongs.
    if (pair.count !== pair.queuedCount) {
      enqueue(index);
      continue;
    }
    // No other pair gives this token: where neighbours spell the same text,
    // all merges happened inside of it, so the same ones in the same order.
    const id = firstId + merges.length;
    merges.push({ left: pair.left, right: pair.right });
    const changed = new Set<number>();
    for (const word of pair.words) mergeInWord(word, pair, id, counts, changed);
    for (const newIndex of changed) enqueue(newIndex);
  }
  return merges;
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
