/**
 * Trees of tensors as named arrays on the host, as files hold them.
 *
 * @module
 */

import type { HostArray } from "../models/mod.ts";
import {
  dispose,
  formatShape,
  namedLeaves,
  replaceLeaves,
  sameShape,
  tensor,
  type Tree,
} from "../tensor/internal.ts";
import { CheckpointError } from "./manifest.ts";

/** Arrays by the paths of a tree's tensors. */
export type HostArrays = Readonly<Record<string, HostArray>>;

/** The values of all tensors of a tree. */
export async function hostArrays(tree: Tree): Promise<HostArrays> {
  return Object.fromEntries(
    await Promise.all(
      namedLeaves(tree).map(async ([name, x]) => {
        const { dtype, shape } = x;
        return [name, { dtype, shape, values: await x.data() }];
      }),
    ),
  );
}

/** The path of the first array with a NaN or an infinity in it. */
export function firstNonFiniteArray(arrays: HostArrays): string | undefined {
  for (const [name, { values }] of Object.entries(arrays)) {
    if (!values.every((x) => Number.isFinite(x))) return name;
  }
  return undefined;
}

/**
 * A tree with the values of arrays in place of its own; it is consumed.
 *
 * @param source Where the arrays are from, for messages.
 * @throws {CheckpointError} If names or shapes differ.
 */
export function restoreTensors<T extends Tree>(
  source: string,
  tree: T,
  arrays: HostArrays,
): T {
  const left = new Map(Object.entries(arrays));
  const restored = namedLeaves(tree).map(([name, { shape, dtype, device }]) => {
    const array = left.get(name);
    if (array === undefined) {
      throw new CheckpointError(
        `${source}: has no "${name}"; it is of another model or optimizer`,
      );
    }
    if (!sameShape(array.shape, shape)) {
      throw new CheckpointError(
        `${source}: "${name}" has shape ${formatShape(array.shape)}, but the ` +
          `model has ${formatShape(shape)}; use the model it was made with`,
      );
    }
    left.delete(name);
    return tensor(array.values, { shape, dtype, device });
  });
  for (const name of left.keys()) {
    throw new CheckpointError(
      `${source}: has "${name}", which the model and its optimizer lack`,
    );
  }
  const result = replaceLeaves(tree, restored);
  dispose(tree);
  return result;
}
