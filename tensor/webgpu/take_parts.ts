/**
 * What `take` and `takeBackward` share: parts of tables that are too large to
 * bind and of indices that are too long to loop over, and what is said of bad
 * indices.
 *
 * @module
 */

import type { View } from "../backend.ts";
import type { DescribeIndex, Gpu } from "./gpu.ts";
import { slice, windowsFit } from "./windows.ts";

/** The error for a bad index, as on the other devices. */
export function describeIndex(
  operation: string,
  extent: number,
  firstPosition = 0,
): DescribeIndex {
  return (position, value) =>
    new RangeError(
      `${operation}: index ${value} at position ${firstPosition + position} ` +
        `is outside 0 … ${extent - 1}`,
    );
}

/** A part of a table, with the rows that are picked from it or added to it. */
export interface TakePart {
  /** `[outer, n, inner]`, or rows `begin` … of its only slice. */
  readonly table: View;
  /** `[k]`. */
  readonly index: View;
  /** `[outer, k, inner]`. */
  readonly picked: View;
  /** The first row of the table that is there. */
  readonly begin: number;
  /** Position of the first index. */
  readonly position: number;
}

/**
 * Calls `visit` with parts that can be bound, and whose indices an invocation
 * may go through twice (to sort them), the parts of the index in order.
 * Indices of rows in other parts of the table are to be skipped.
 */
export function forTakeParts(
  gpu: Gpu,
  part: TakePart,
  visit: (part: TakePart) => void,
): void {
  const { table, index, picked, begin, position } = part;
  const [outer, n] = table.shape;
  const [k] = index.shape;
  const tableFits = windowsFit(gpu, [table]);
  const pickedFits = 2 * k <= gpu.mostTurns && windowsFit(gpu, [picked]);
  /** The parts before and after `at`. */
  const go = (
    extent: number,
    change: (from: number, to: number) => Partial<TakePart>,
  ): void => {
    const half = Math.ceil(extent / 2);
    forTakeParts(gpu, { ...part, ...change(0, half) }, visit);
    forTakeParts(gpu, { ...part, ...change(half, extent) }, visit);
  };
  if (outer > 1 && !(tableFits && pickedFits)) {
    go(outer, (from, to) => ({
      table: slice(table, 0, from, to),
      picked: slice(picked, 0, from, to),
    }));
  } else if (k > 1 && !pickedFits) {
    go(k, (from, to) => ({
      index: slice(index, 0, from, to),
      picked: slice(picked, 1, from, to),
      position: position + from,
    }));
  } else if (n > 1 && !tableFits) {
    go(n, (from, to) => ({
      table: slice(table, 1, from, to),
      begin: begin + from,
    }));
  } else {
    visit(part);
  }
}
