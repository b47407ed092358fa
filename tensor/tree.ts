/**
 * Trees: nested records and arrays of tensors, such as the parameters of a
 * model.
 *
 * @example
 * ```ts
 * import { device, mapTree, ones, square } from "@layerbraid/layerbraid/tensor";
 *
 * await device("reference");
 * const parameters = { weight: ones([2, 2]), layers: [ones([2]), ones([2])] };
 * const squares = mapTree(square, parameters);
 * console.log(squares.layers.length); // 2
 * ```
 *
 * @module
 */

import { Tensor } from "./tensor.ts";

/** A tensor, or an array or record of trees. */
export type Tree = Tensor | readonly Tree[] | { readonly [name: string]: Tree };

/** The tensors of a tree in the order of arrays and of keys as inserted. */
export function leaves(tree: Tree): Tensor[] {
  const result: Tensor[] = [];
  collect(tree, result);
  return result;
}

// Trees are walked several times a layer, so without closures and entries.
function collect(node: Tree, into: Tensor[]): void {
  if (node instanceof Tensor) into.push(node);
  else for (const child of childrenOf(node)) collect(child, into);
}

function childrenOf(node: Exclude<Tree, Tensor>): readonly Tree[] {
  return Array.isArray(node) ? node : Object.values(node);
}

/** The tensors of a tree with their paths, such as `layers.0.weight`. */
export function namedLeaves(tree: Tree): [name: string, tensor: Tensor][] {
  const result: [string, Tensor][] = [];
  const visit = (node: Tree, path: string, isRoot: boolean): void => {
    if (node instanceof Tensor) result.push([path, node]);
    else {
      const record = node as Readonly<Record<string, Tree>>;
      for (const name of Object.keys(record)) {
        visit(record[name], isRoot ? name : `${path}.${name}`, false);
      }
    }
  };
  visit(tree, "", true);
  return result;
}

/**
 * A tree of the same structure with `f` applied to the leaves of `tree`, and to
 * those of other trees of the same structure at the same places.
 *
 * @throws {TypeError} If the structures differ.
 */
export function mapTree<T extends Tree>(
  f: (leaf: Tensor, ...others: Tensor[]) => Tensor,
  tree: T,
  ...others: readonly Tree[]
): T {
  if (others.length === 0) return rebuild(tree, (leaf) => f(leaf));
  const lists = others.map(leaves);
  const count = leaves(tree).length;
  for (const list of lists) {
    if (list.length !== count) {
      throw new TypeError(
        `mapTree: trees of ${count} and ${list.length} tensors differ`,
      );
    }
  }
  let position = 0;
  return rebuild(tree, (leaf) => {
    const at = position++;
    return f(leaf, ...lists.map((list) => list[at]));
  });
}

/** A tree of the same structure with these leaves, in the order of `leaves`. */
export function replaceLeaves<T extends Tree>(
  tree: T,
  replacements: readonly Tensor[],
): T {
  let position = 0;
  return rebuild(tree, () => replacements[position++]);
}

function rebuild<T extends Tree>(tree: T, f: (leaf: Tensor) => Tensor): T {
  const visit = (node: Tree): Tree => {
    if (node instanceof Tensor) return f(node);
    if (Array.isArray(node)) return node.map(visit);
    const record = node as Readonly<Record<string, Tree>>;
    const result: Record<string, Tree> = {};
    for (const name of Object.keys(record)) result[name] = visit(record[name]);
    return result;
  };
  return visit(tree) as T;
}
