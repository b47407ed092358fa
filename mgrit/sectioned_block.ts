/**
 * Blocks of sections: layers of several kinds in one chain, such as those of an
 * encoder and of a decoder.
 *
 * @example Two layers that let a state grow, then three that let it shrink
 * ```ts
 * import { sectionedBlock, solve } from "@layerbraid/layerbraid/mgrit";
 * import { device, full, mul, neg, type Tensor, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const block = sectionedBlock({
 *   endTime: 5,
 *   sections: {
 *     grow: {
 *       layers: 2,
 *       rightHandSide: (x: Tensor, { rate }: { rate: Tensor }) => mul(rate, x),
 *     },
 *     shrink: {
 *       layers: 3,
 *       rightHandSide: (x: Tensor, loss: Tensor) => neg(mul(loss, x)),
 *     },
 *   },
 * });
 * const parameters = { grow: { rate: full([2, 1], 3) }, shrink: full([3, 1], 0.5) };
 * const end = solve(block, tensor([1]), parameters, {});
 * console.log(await end.item()); // 4² / 2³ = 2
 * ```
 *
 * @module
 */

import type { Tree } from "../tensor/internal.ts";
import {
  eulerStep,
  type LayerContext,
  type OdeBlock,
  type OdeLayers,
} from "./ode_block.ts";
import { sectionAt } from "./section.ts";

/** Trees of parameters by the names of their sections. */
export type SectionTrees = Readonly<Record<string, Tree>>;

/** What a block of sections is made of. */
export interface SectionedBlockOptions<
  X extends Tree,
  S extends SectionTrees,
  C,
> {
  /** T of all sections together. */
  readonly endTime: number;
  /** In the order of the layers. */
  readonly sections: {
    readonly [K in keyof S]: OdeLayers<X, S[K], C>;
  };
}

/**
 * Sections as one block, whose parameters are `{ [section]: tree }`: every leaf
 * of a section's tree has that section's layers as its first axis.
 * `context.layers` counts through all sections.
 *
 * A part of the state that a section's step hands on as it got it costs nothing
 * there. Coarse steps take the layer at their left end for all that they span:
 * choose a coarsening that divides the layers of every section but the last, so
 * that no step spans two of them.
 */
export function sectionedBlock<X extends Tree, S extends SectionTrees, C>(
  { endTime, sections: given }: SectionedBlockOptions<X, S, C>,
): OdeBlock<X, S, C> {
  const sections = Object.keys(given).map((name) => ({
    name,
    layers: given[name].layers,
  }));
  // It gets the tree of its section, typed as all: see `OdeBlock.sections`.
  const sectionOf = (
    { layers: [layer] }: LayerContext,
  ): OdeLayers<X, S, C> =>
    given[sectionAt(sections, layer).name] as OdeLayers<X, Tree, C>;
  return {
    layers: sections.reduce((sum, { layers }) => sum + layers, 0),
    endTime,
    sections,
    rightHandSide: (x, parameters, context) =>
      sectionOf(context).rightHandSide(x, parameters, context),
    step: (x, parameters, h, context) =>
      eulerStep(sectionOf(context), x, parameters, h, context),
  };
}
