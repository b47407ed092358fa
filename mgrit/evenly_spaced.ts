/**
 * Tensors that lie evenly spaced in one memory, such as the results of a stacked
 * step: together they are one view.
 *
 * @module
 */

import { sameShape, type Tensor } from "../tensor/internal.ts";

/** Places first, first + step, … of a list, whose tensors lie evenly spaced. */
export interface EvenlySpaced {
  /** The first place. */
  readonly first: number;
  /** From one place to the next, ≥ 1. */
  readonly step: number;
  /** How many, ≥ 1. */
  readonly count: number;
  /** Distance in memory, in elements; negative or 0 too. */
  readonly spacing: number;
}

/**
 * Splits a list of tensors into parts of one shape that lie evenly spaced: few
 * where they come from few stacked steps, in whatever order.
 */
export function evenlySpaced(tensors: readonly Tensor[]): EvenlySpaced[] {
  const parts: EvenlySpaced[] = [];
  for (const places of byMemory(tensors)) {
    let rest = places;
    while (rest.length > 0) {
      const part = leadingPart(tensors, rest);
      parts.push(part);
      const end = part.first + part.count * part.step;
      rest = rest.filter((place) =>
        place >= end || (place - part.first) % part.step !== 0
      );
    }
  }
  return parts;
}

/** Places of tensors that differ by their offset only. */
function byMemory(tensors: readonly Tensor[]): Iterable<number[]> {
  const groups = new Map<unknown, number[]>();
  tensors.forEach((x, place) => {
    const group = groups.get(x.storage);
    if (group === undefined) groups.set(x.storage, [place]);
    else if (laidOutAlike(tensors[group[0]], x)) group.push(place);
    else groups.set(place, [place]);
  });
  return groups.values();
}

function laidOutAlike(a: Tensor, b: Tensor): boolean {
  return sameShape(a.shape, b.shape) && sameShape(a.strides, b.strides);
}

/** As many of the places as go on like the first two. */
function leadingPart(
  tensors: readonly Tensor[],
  places: readonly number[],
): EvenlySpaced {
  const [first, second] = places;
  const { offset, size } = tensors[first];
  if (second === undefined) {
    return { first, step: 1, count: 1, spacing: size };
  }
  const step = second - first;
  const spacing = tensors[second].offset - offset;
  const members = new Set(places);
  let count = 2;
  while (
    members.has(first + count * step) &&
    tensors[first + count * step].offset === offset + count * spacing
  ) count++;
  return { first, step, count, spacing };
}

/** A part of a list of tensors as one view `[count, …]`. */
export function viewOf(
  tensors: readonly Tensor[],
  { first, count, spacing }: EvenlySpaced,
): Tensor {
  const { shape, strides, offset } = tensors[first];
  return tensors[first].view(
    [count, ...shape],
    [spacing, ...strides],
    offset,
  );
}
