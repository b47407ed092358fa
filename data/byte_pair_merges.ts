import { PriorityQueue } from "./priority_queue.ts";

/** The merges of a byte-pair encoding, over ids; a low rank merges first. */
export interface Merges {
  /** The number of ids. */
  readonly size: number;
  /** The rank of a pair, by `left * size + right`. */
  readonly ranks: ReadonlyMap<number, number>;
  /** The id that a pair becomes, by rank. */
  readonly results: Int32Array;
}

// A queue entry is rank * positions + position: exact in a double for ranks
// below 2^21, and so ordered by rank, then from left to right.
const positions = 2 ** 32;
const none = -1;

/**
 * Merges the ids of one piece: again and again, all pairs of the lowest rank
 * from left to right (Sennrich et al. 2016, algorithm 1, as in GPT-2).
 *
 * A linked list and a queue make it O(n log n) for n ids.
 *
 * @param ids The ids of the bytes of a piece; overwritten.
 * @returns What remains of them, a part of `ids`.
 */
export function applyMerges(ids: Int32Array, merges: Merges): Int32Array {
  const count = ids.length;
  const next = new Int32Array(count);
  const previous = new Int32Array(count);
  // The rank of the pair that begins at a position, as it is now.
  const rankAt = new Int32Array(count);
  const queue = new PriorityQueue((a, b) => a < b);

  const consider = (left: number): void => {
    const right = next[left];
    const rank = right === count
      ? none
      : merges.ranks.get(ids[left] * merges.size + ids[right]) ?? none;
    rankAt[left] = rank;
    if (rank !== none) queue.push(rank * positions + left);
  };
  for (let left = 0; left < count; left++) {
    next[left] = left + 1;
    previous[left] = left - 1;
    consider(left);
  }

  for (let entry = queue.peek(); entry !== undefined; entry = queue.peek()) {
    const rank = Math.floor(entry / positions);
    const end = (rank + 1) * positions;
    const merged: number[] = [];
    for (; entry !== undefined && entry < end; entry = queue.peek()) {
      queue.pop();
      const left = entry - rank * positions;
      if (rankAt[left] !== rank) continue; // the pair is gone
      const right = next[left];
      ids[left] = merges.results[rank];
      rankAt[left] = none;
      rankAt[right] = none;
      next[left] = next[right];
      if (next[right] < count) previous[next[right]] = left;
      merged.push(left);
    }
    // Only now, since a new pair may rank lower than the one being merged.
    for (const left of merged) {
      consider(left);
      if (left > 0) consider(previous[left]);
    }
  }

  let length = 0;
  for (let left = 0; left < count; left = next[left]) ids[length++] = ids[left];
  return ids.subarray(0, length);
}
