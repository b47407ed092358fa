/**
 * What the guess `previous` starts from.
 *
 * @module
 */

import {
  dispose,
  leaves,
  mapTree,
  replaceLeaves,
  type Tree,
} from "../tensor/internal.ts";
import type { Direction } from "./control_options.ts";
import { hierarchy } from "./hierarchy.ts";
import type { MultigridOptions } from "./multigrid_options.ts";
import { trees } from "./state_space.ts";

/** States that a solve found, at the C-points of its finest level. */
export interface RememberedStates<X extends Tree> {
  /** Indices of the points, ascending. */
  readonly points: readonly number[];
  /** The state at each of them. */
  readonly states: readonly X[];
}

/**
 * The states of the last solve in each direction. Give the same memory to every
 * call of `solve` that shall go on from the one before.
 *
 * @example
 * ```ts
 * import { defaultMultigrid, solve, SolveMemory } from "@layerbraid/layerbraid/mgrit";
 * import { device, full, mul, type Tensor, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const block = {
 *   layers: 8,
 *   endTime: 1,
 *   rightHandSide: (x: Tensor, rate: Tensor) => mul(rate, x),
 * };
 * using memory = new SolveMemory<Tensor>();
 * const forward = { ...defaultMultigrid, guess: "previous" } as const;
 * for (let call = 0; call < 2; call++) {
 *   const y = solve(block, tensor([1]), full([8], 0.5), {}, { forward, memory });
 *   console.log(await y.item()); // exact from the second call on
 * }
 * ```
 */
export class SolveMemory<X extends Tree> implements Disposable {
  #forward: RememberedStates<X> | undefined;
  #backward: RememberedStates<X> | undefined;

  /** Of the forward pass, if there was one. */
  get forward(): RememberedStates<X> | undefined {
    return this.#forward;
  }

  /** Of the backward pass, if there was one; points in the adjoint's order. */
  get backward(): RememberedStates<X> | undefined {
    return this.#backward;
  }

  /** Puts states in the place of earlier ones, which it frees; owns them. */
  remember(
    direction: Direction,
    states: RememberedStates<X> | undefined,
  ): void {
    this[direction]?.states.forEach(dispose);
    if (direction === "forward") this.#forward = states;
    else this.#backward = states;
  }

  /** Frees what it holds. */
  [Symbol.dispose](): void {
    this.remember("forward", undefined);
    this.remember("backward", undefined);
  }
}

/** How one direction's options read once the memory was asked. */
export function withMemory<X extends Tree>(
  options: MultigridOptions<X>,
  memory: SolveMemory<X> | undefined,
  direction: Direction,
  first: X,
): MultigridOptions<X> {
  if (options.guess !== "previous") return options;
  if (memory === undefined) {
    throw new TypeError(
      'solve: the guess "previous" needs a memory; give the same ' +
        "`new SolveMemory()` to every call",
    );
  }
  const remembered = memory[direction];
  const guess = remembered === undefined || !sameShapes(remembered, first)
    ? "input"
    : (point: number): X => {
      const state = remembered.states[remembered.points.indexOf(point)];
      // Another coarsening than before: nothing is known there.
      const known = trees<X>().copy(state ?? first);
      return replaceLeaves(first, leaves(known));
    };
  return { ...options, guess };
}

function sameShapes<X extends Tree>(
  { states: [state] }: RememberedStates<X>,
  first: X,
): boolean {
  const shapes = (tree: X): string =>
    JSON.stringify(leaves(tree).map(({ shape }) => shape));
  return state !== undefined && shapes(state) === shapes(first);
}

/** Keeps the C-points of a solve with the guess `previous`. */
export function keepInMemory<X extends Tree>(
  options: MultigridOptions<X>,
  memory: SolveMemory<X> | undefined,
  direction: Direction,
  states: readonly X[],
): void {
  if (options.guess !== "previous" || memory === undefined) return;
  const points = hierarchy(states.length - 1, options)[0].coarsePoints;
  memory.remember(direction, {
    points,
    states: points.map((i) => mapTree((x) => x.retain(), states[i])),
  });
}
