/**
 * Sections: consecutive layers of a block that are of one kind, such as the
 * encoder and the decoder of a translator.
 *
 * @module
 */

import { formatShape, leaves, type Tree } from "../tensor/internal.ts";

/** Consecutive layers with parameters of a kind of their own. */
export interface Section {
  /** Under which name the block's parameters hold those of the section. */
  readonly name: string;
  /** How many layers, ≥ 1. */
  readonly layers: number;
}

/** The layers of a block, in sections or all of one kind. */
export interface SectionedLayers {
  /** N. */
  readonly layers: number;
  /** From the first layer to the last. */
  readonly sections?: readonly Section[];
}

/** The section that a layer is in, and the index of the section's first layer. */
export function sectionAt(
  sections: readonly Section[],
  layer: number,
): { name: string; start: number } {
  let start = 0;
  for (const { name, layers } of sections) {
    if (layer < start + layers) return { name, start };
    start += layers;
  }
  throw new RangeError(`ODE block: layer ${layer} is in no section`);
}

/**
 * Checks that every leaf of stacked parameters has as first axis all layers of
 * the block, or of its section where it has sections.
 *
 * @throws {RangeError} If one hasn't, if sections and parameters have other
 *   names, or if sections don't add up to the block.
 */
export function assertStacked(
  parameters: Tree,
  { layers, sections }: SectionedLayers,
): void {
  if (sections === undefined) {
    assertFirstAxis(parameters, layers, `the ${layers} layers`);
    return;
  }
  assertSections(parameters, layers, sections);
  for (const { name, layers } of sections) {
    const own = (parameters as Readonly<Record<string, Tree>>)[name];
    assertFirstAxis(own, layers, `the ${layers} layers of section "${name}"`);
  }
}

function assertFirstAxis(
  parameters: Tree,
  layers: number,
  expected: string,
): void {
  for (const leaf of leaves(parameters)) {
    if (leaf.shape[0] === layers) continue;
    throw new RangeError(
      `ODE block: a parameter of shape ${formatShape(leaf.shape)} must have ` +
        `${expected} as its first axis`,
    );
  }
}

function assertSections(
  parameters: Tree,
  layers: number,
  sections: readonly Section[],
): void {
  const counts = sections.map((section) => section.layers);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (
    total !== layers ||
    counts.some((count) => !Number.isInteger(count) || count < 1)
  ) {
    throw new RangeError(
      `ODE block: sections of ${counts.join(" + ")} layers must have a layer ` +
        `each and add up to the block's ${layers}`,
    );
  }
  const names = sections.map(({ name }) => name);
  const given = Object.keys(parameters);
  if (
    new Set(names).size === names.length && names.length === given.length &&
    names.every((name) => given.includes(name))
  ) return;
  throw new RangeError(
    `ODE block: parameters ${given.join(", ") || "of no name"} must be those ` +
      `of the sections ${names.join(", ")}, each once`,
  );
}
