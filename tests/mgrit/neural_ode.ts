/**
 * dx/dt = tanh(W(t) x + b(t)): an ODE with its adjoint written by hand.
 *
 * @module
 */

import {
  adjointPropagator,
  arrays,
  type Chain,
  forwardPropagator,
  type Solution,
} from "../../mgrit/mod.ts";

/** N. */
export const nodes = 32;
/** Elements of a state. */
export const width = 3;
const h = 1 / 8;

function weight(n: number, i: number, j: number): number {
  return 0.6 * Math.sin(1 + 3 * i + 5 * j + 0.3 * n);
}

function activation(u: Float64Array, n: number): Float64Array {
  return Float64Array.from({ length: width }, (_, i) => {
    let sum = 0.2 * Math.cos(2 + i + 0.5 * n);
    for (let j = 0; j < width; j++) sum += weight(n, i, j) * u[j];
    return Math.tanh(sum);
  });
}

/** One forward Euler step. */
export function step(u: Float64Array, n: number, stride: number): Float64Array {
  const f = activation(u, n);
  return u.map((x, i) => x + stride * h * f[i]);
}

/** dt (1 − tanh²) w: the cotangent of the argument of tanh. */
function inner(
  about: Float64Array,
  w: Float64Array,
  n: number,
  stride: number,
): Float64Array {
  const f = activation(about, n);
  return w.map((x, i) => stride * h * (1 - f[i] ** 2) * x);
}

function transposed(
  about: Float64Array,
  w: Float64Array,
  n: number,
  stride: number,
): Float64Array {
  const g = inner(about, w, n, stride);
  return w.map((x, j) => {
    let sum = x;
    for (let i = 0; i < width; i++) sum += weight(n, i, j) * g[i];
    return sum;
  });
}

/** The first state. */
export const u0 = Float64Array.of(0.5, -0.25, 1);
/** Its chain. */
export const ode: Chain<Float64Array> = {
  steps: nodes,
  space: arrays,
  propagator: forwardPropagator(step),
};

/** The chain of its adjoint, about a forward solution. */
export function adjointOf(
  { inputs, states }: Pick<Solution<Float64Array>, "inputs" | "states">,
): Chain<Float64Array> {
  return {
    steps: nodes,
    space: arrays,
    propagator: adjointPropagator(
      nodes,
      (w, n, stride) =>
        transposed((stride === 1 ? inputs : states)[n], w, n, stride),
    ),
  };
}

/** All of ∂W, ∂b, layer by layer, by the adjoint's recorded inputs. */
export function parameterGradient(
  { inputs }: Solution<Float64Array>,
  adjoint: Solution<Float64Array>,
): number[] {
  return inputs.flatMap((x, n) => {
    const g = inner(x, adjoint.inputs[nodes - 1 - n], n, 1);
    return [...[...g].flatMap((gi) => [...x].map((xj) => gi * xj)), ...g];
  });
}
