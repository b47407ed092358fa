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
import { evenlySpaced, viewOf } from "./evenly_spaced.ts";
import { type StateSpace, trees } from "./state_space.ts";

/**
 * Tensors of one shape as `[points, …]`: a view where they lie evenly spaced in
 * one memory, as the results of a stacked step do; else a copy, in one kernel
 * for every part of them that does.
 */
function stackTensors(tensors: readonly Tensor[]): Tensor {
  const parts = evenlySpaced(tensors);
  if (parts.length === 1) return viewOf(tensors, parts[0]);
  const { device, dtype, shape, size } = tensors[0];
  const stacked = empty(device, dtype, [tensors.length, ...shape], "stack");
  const [stride, ...strides] = stacked.strides;
  for (const part of parts) {
    const place = stacked.view(
      [part.count, ...shape],
      [part.step * stride, ...strides],
      part.first * size,
    );
    device.assign(place, viewOf(tensors, part));
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
    pack: (states) => {
      const packed = scope(() =>
        unstackStates(stackStates(states), states.length)
      );
      states.forEach(dispose);
      return packed;
    },
  };
}
