/**
 * What a block's solves remember, as named arrays on the host.
 *
 * @module
 */

import { directions, SolveMemory } from "../mgrit/mod.ts";
import { leaves, type Tensor, tensor, type Tree } from "../tensor/internal.ts";
import { type HostArrays, hostArrays } from "./host_tensors.ts";

/**
 * The states in a memory as `direction.point.leaf`; undefined if there are
 * none.
 */
export async function memoryArrays(
  memory: SolveMemory<never>,
): Promise<HostArrays | undefined> {
  const tensors: Record<string, Tensor> = {};
  for (const direction of directions) {
    const { points = [], states = [] } = memory[direction] ?? {};
    for (const [i, point] of points.entries()) {
      for (const [leaf, x] of leaves(states[i]).entries()) {
        tensors[`${direction}.${point}.${leaf}`] = x;
      }
    }
  }
  return Object.keys(tensors).length === 0
    ? undefined
    : await hostArrays(tensors);
}

/**
 * A memory with these states. Those of several tensors are lists of them, for
 * arrays don't know their structure.
 */
export function memoryFrom(arrays: HostArrays): SolveMemory<never> {
  const memory = new SolveMemory<Tree>();
  for (const direction of directions) {
    const found = new Map<number, Tree[]>();
    for (const [name, { values, shape, dtype }] of Object.entries(arrays)) {
      const [of, point, leaf] = name.split(".");
      if (of !== direction) continue;
      const state = found.get(Number(point)) ?? [];
      state[Number(leaf)] = tensor(values, { shape, dtype });
      found.set(Number(point), state);
    }
    const points = [...found.keys()].sort((a, b) => a - b);
    if (points.length === 0) continue;
    const states = points.map((point) => {
      const state = found.get(point)!;
      return state.length === 1 ? state[0] : state;
    });
    memory.remember(direction, { points, states });
  }
  return memory as SolveMemory<never>;
}
