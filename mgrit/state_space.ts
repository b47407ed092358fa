/**
 * What the solver must be able to do with states: all it knows of them.
 *
 * @module
 */

import {
  dispose,
  fuse,
  leaves,
  mapTree,
  Scope,
  squaredNorm,
} from "../tensor/internal.ts";
import type { Tensor, Tree } from "../tensor/internal.ts";
import * as e from "../tensor/expression.ts";
import { evenlySpaced, viewOf } from "./evenly_spaced.ts";

/** A measured number; a promise on devices that can't be read at once. */
export type Measurement = number | Promise<number>;

/**
 * Vectors: states that can be added, scaled, copied and measured. States are
 * values: no function changes one.
 */
export interface StateSpace<X> {
  /** a xᵢ + yᵢ of all i at once, as new states: lists of equal length. */
  readonly axpy: (a: number, xs: readonly X[], ys: readonly X[]) => X[];
  /** The same value, freed on its own. */
  readonly copy: (x: X) => X;
  /** √(Σ ‖xᵢ‖²): the 2-norm of states taken together, 0 of none. */
  readonly norm: (states: readonly X[]) => Measurement;
  /** Frees a state. */
  readonly dispose: (x: X) => void;
  /**
   * The same states, laid out so that functions of lists take them as one;
   * frees the given ones. Only for spaces where that makes a difference.
   */
  readonly pack?: (states: readonly X[]) => X[];
}

/**
 * Between the states of one level and those of the next, where coarser levels
 * have smaller states: a coarser mesh, a shorter sequence. Both functions are
 * linear and return new states.
 */
export interface Transfer<X> {
  /** States, and residuals, as they are on the next level. */
  readonly restrict: (states: readonly X[]) => X[];
  /** Corrections, and first guesses, as they are on this level. */
  readonly interpolate: (states: readonly X[]) => X[];
}

/** Plain numbers. */
export const numbers: StateSpace<number> = {
  axpy: (a, xs, ys) => xs.map((x, i) => a * x + ys[i]),
  copy: (x) => x,
  norm: (states) => Math.hypot(...states),
  dispose: () => {},
};

/** Vectors of plain numbers. */
export const arrays: StateSpace<Float64Array> = {
  axpy: (a, xs, ys) =>
    xs.map((x, i) => x.map((value, k) => a * value + ys[i][k])),
  copy: (x) => x.slice(),
  norm: (states) =>
    Math.sqrt(
      states.reduce(
        (sum, x) => x.reduce((partial, value) => partial + value ** 2, sum),
        0,
      ),
    ),
  dispose: () => {},
};

const axpyTensors = fuse("axpy", (a, x, y) => e.add(e.mul(a, x), y));

/** Tensors, and records and arrays of them; norms are over all leaves. */
export function trees<X extends Tree>(): StateSpace<X> {
  return {
    axpy: (a, xs, ys) =>
      xs.map((x, i) => mapTree((s, t) => axpyTensors(a, s, t), x, ys[i])),
    copy: (x) => mapTree((s) => s.view(s.shape, s.strides, s.offset), x),
    norm: (states) => normOf(states.flatMap(leaves)),
    dispose,
  };
}

/** One kernel for all tensors that lie evenly spaced in one memory. */
function normOf(tensors: readonly Tensor[]): Measurement {
  const squares = evenlySpaced(tensors).map((part) => {
    using _scope = new Scope();
    return readNumber(squaredNorm(viewOf(tensors, part)));
  });
  if (squares.every((value) => typeof value === "number")) {
    return rootOfSum(squares);
  }
  const norm = Promise.all(squares).then(rootOfSum);
  // Whoever waits for it hears of faults; until then nobody does.
  norm.catch(() => {});
  return norm;
}

function rootOfSum(squares: readonly number[]): number {
  return Math.sqrt(squares.reduce((sum, value) => sum + value, 0));
}

/** The value of a tensor of one element, at once where the device can. */
function readNumber({ device, buffer, dtype, offset }: Tensor): Measurement {
  const values = device.backend.read(buffer, dtype, offset, 1);
  return values instanceof Promise ? values.then(([x]) => x) : values[0];
}
