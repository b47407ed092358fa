/**
 * Blocks some of whose parameters need no gradient: frozen ones, say.
 *
 * @module
 */

import {
  dispose,
  leaves,
  mapTree,
  type Tensor,
  tracked,
  type Tree,
} from "../tensor/internal.ts";
import { parametersOf } from "./layer_row.ts";
import type { LayerContext, OdeBlock } from "./ode_block.ts";
import { type Section, sectionAt } from "./section.ts";

/** A block as a function of some of its parameters alone. */
export interface VaryingBlock<X extends Tree, C> {
  /** The same layers. */
  readonly block: OdeBlock<X, Tree, C>;
  /** Stacked, as those of the block. */
  readonly parameters: Tree;
  /** Frees what the block holds. */
  readonly release: () => void;
}

/**
 * A block whose parameters are those that a tape follows. The others become
 * constants of its layers, so that solvers neither ask for their gradients nor
 * keep memory for them.
 *
 * @param parameters All of the block's.
 */
export function varyingBlock<X extends Tree, P extends Tree, C>(
  block: OdeBlock<X, P, C>,
  parameters: P,
): VaryingBlock<X, C> {
  const { sections, step } = block;
  const constants: Tensor[] = [];
  const varying = new Set<Tensor>();
  const held = mapTree((leaf) => {
    if (tracked(leaf)) {
      varying.add(leaf);
      return leaf;
    }
    const handle = leaf.retain();
    constants.push(handle);
    return handle;
  }, parameters);
  const varyingOf = (tree: Tree): Tensor[] =>
    leaves(tree).filter((leaf) => varying.has(leaf));
  const complete = (given: Tree, { layers }: LayerContext): P => {
    const own = treeAt(held, layers, sections);
    const rest = leaves(given);
    let position = 0;
    return mapTree(
      (leaf) =>
        varying.has(leaf) ? rest[position++] : rowOf(leaf, layers, own.start),
      own.tree,
    );
  };
  return {
    block: {
      ...block,
      rightHandSide: (x, given, context) =>
        block.rightHandSide(x, complete(given, context), context),
      step: step &&
        ((x, given, h, context) =>
          step(x, complete(given, context), h, context)),
    },
    parameters: sections === undefined ? varyingOf(held) : Object.fromEntries(
      Object.entries(held).map(([name, tree]) => [name, varyingOf(tree)]),
    ),
    release: () => dispose(constants),
  };
}

/** The tree that has the parameters of layers, and its first layer. */
function treeAt<P extends Tree>(
  parameters: P,
  [layer]: readonly number[],
  sections: readonly Section[] | undefined,
): { tree: P; start: number } {
  if (sections === undefined) return { tree: parameters, start: 0 };
  const { name, start } = sectionAt(sections, layer);
  const trees = parameters as Readonly<Record<string, Tree>>;
  return { tree: trees[name] as P, start };
}

/** Evenly spaced layers of a stacked tensor, as a view. */
function rowOf(
  leaf: Tensor,
  layers: readonly number[],
  start: number,
): Tensor {
  return parametersOf(leaf, {
    first: layers[0] - start,
    spacing: layers.length > 1 ? layers[1] - layers[0] : 1,
    count: layers.length,
  });
}
