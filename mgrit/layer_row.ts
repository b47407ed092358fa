/**
 * Evenly spaced layers that one call computes: all first steps of the intervals
 * of a sweep, say.
 *
 * @module
 */

import { mapTree, type Tensor, type Tree } from "../tensor/internal.ts";
import { type Section, sectionAt } from "./section.ts";

/** The layers first, first + spacing, … */
export interface LayerRow {
  /** The lowest. */
  readonly first: number;
  /** From one to the next, ≥ 1. */
  readonly spacing: number;
  /** How many, ≥ 1; a single one has no leading axis. */
  readonly count: number;
}

/** One layer by itself. */
export function singleLayer(layer: number): LayerRow {
  return { first: layer, spacing: 1, count: 1 };
}

/** The indices of the layers. */
export function layersOf({ first, spacing, count }: LayerRow): number[] {
  return Array.from({ length: count }, (_, i) => first + i * spacing);
}

/**
 * The parameters of a row of stacked ones, as views. With sections the row lies
 * in one of them, and what it gets is of that section: typed as the whole, for
 * to the solver both are trees.
 */
export function parametersOf<P extends Tree>(
  parameters: P,
  row: LayerRow,
  sections?: readonly Section[],
): P {
  if (sections === undefined) {
    return mapTree((leaf) => rowView(leaf, row), parameters);
  }
  const { name, start } = sectionAt(sections, row.first);
  const own = (parameters as Readonly<Record<string, Tree>>)[name] as P;
  const local = { ...row, first: row.first - start };
  return mapTree((leaf) => rowView(leaf, local), own);
}

function rowView(
  leaf: Tensor,
  { first, spacing, count }: LayerRow,
): Tensor {
  const shape = leaf.shape.slice(1);
  const strides = leaf.strides.slice(1);
  const [stride] = leaf.strides;
  const offset = leaf.offset + first * stride;
  return count === 1
    ? leaf.view(shape, strides, offset)
    : leaf.view([count, ...shape], [spacing * stride, ...strides], offset);
}
