/**
 * States of many points as one tensor with a leading axis, so that a sweep over
 * all intervals is one kernel call.
 *
 * @module
 */

import {
  dispose,
  empty,
  fuse,
  leaves,
  mapTree,
  replaceLeaves,
  scope,
  type Tensor,
  type Tree,
} from "../tensor/internal.ts";
import * as e from "../tensor/expression.ts";
import { type StateSpace, trees } from "./state_space.ts";

/** Neighbours in a list that lie evenly spaced in one memory. */
interface Run {
  readonly start: number;
  readonly count: number;
  /** Distance in elements, negative or 0 too. */
  readonly spacing: number;
}

function runsOf(tensors: readonly Tensor[]): Run[] {
  const runs: Run[] = [];
  for (let start = 0; start < tensors.length;) {
    const first = tensors[start];
    const fits = (x: Tensor): boolean =>
      x.storage === first.storage &&
      x.strides.every((stride, axis) => stride === first.strides[axis]);
    const spacing = start + 1 < tensors.length && fits(tensors[start + 1])
      ? tensors[start + 1].offset - first.offset
      : first.size;
    let end = start + 1;
    while (
      end < tensors.length && fits(tensors[end]) &&
      tensors[end].offset - first.offset === (end - start) * spacing
    ) end++;
    runs.push({ start, count: end - start, spacing });
    start = end;
  }
  return runs;
}

function viewOf(tensors: readonly Tensor[], run: Run): Tensor {
  const { shape, strides, offset } = tensors[run.start];
  return tensors[run.start].view(
    [run.count, ...shape],
    [run.spacing, ...strides],
    offset,
  );
}

/**
 * Tensors of one shape as `[points, …]`: a view where they lie evenly spaced in
 * one memory, as the results of a stacked step do; else a copy, in one kernel
 * for every run of such neighbours.
 */
function stackTensors(tensors: readonly Tensor[]): Tensor {
  const runs = runsOf(tensors);
  if (runs.length === 1) return viewOf(tensors, runs[0]);
  const { device, dtype, shape } = tensors[0];
  const size = tensors[0].size;
  const stacked = empty(device, dtype, [tensors.length, ...shape], "stack");
  const strides = stacked.strides;
  for (const run of runs) {
    const place = stacked.view(
      [run.count, ...shape],
      strides,
      run.start * size,
    );
    device.assign(place, viewOf(tensors, run));
  }
  return stacked;
}

/** States of equal shapes as one, with a leading axis. */
export function stackStates<X extends Tree>(states: readonly X[]): X {
  const lists = states.map(leaves);
  return replaceLeaves(
    states[0],
    lists[0].map((_, leaf) => stackTensors(lists.map((list) => list[leaf]))),
  );
}

/** The states along a leading axis, as views. */
export function unstackStates<X extends Tree>(stacked: X, count: number): X[] {
  return Array.from(
    { length: count },
    (_, point) => mapTree((x) => pointOf(x, point), stacked),
  );
}

function pointOf(x: Tensor, point: number): Tensor {
  const [stride, ...strides] = x.strides;
  return x.view(x.shape.slice(1), strides, x.offset + point * stride);
}

const axpy = fuse("axpy", (a, x, y) => e.add(e.mul(a, x), y));

/**
 * Tensors, and records and arrays of them, of equal shapes: every operation on
 * a list is one kernel for each leaf.
 */
export function stackedTrees<X extends Tree>(): StateSpace<X> {
  const single = trees<X>();
  return {
    ...single,
    axpy: (a, xs, ys) =>
      xs.length < 2 ? single.axpy(a, xs, ys) : scope(() =>
        unstackStates(
          mapTree((x, y) => axpy(a, x, y), stackStates(xs), stackStates(ys)),
          xs.length,
        )
      ),
    norm: (states) =>
      states.length < 2
        ? single.norm(states)
        : scope(() => single.norm([stackStates(states)])),
    pack: (states) => {
      const packed = scope(() =>
        unstackStates(stackStates(states), states.length)
      );
      states.forEach(dispose);
      return packed;
    },
  };
}
