/**
 * Four neighbours at a time: how a view moves along an axis, and the WGSL that
 * loads and stores a block of it accordingly.
 *
 * @module
 */

import type { View } from "../backend.ts";
import type { Lanes } from "./program.ts";

/**
 * How an operand moves along the axis that is taken in blocks: not at all, in
 * vectors, one by one, or at a distance, the parameter `NAME_step`.
 */
export const walks = {
  repeated: 0,
  aligned: 1,
  contiguous: 2,
  strided: 3,
} as const;

/** One of `walks`. */
export type Walk = (typeof walks)[keyof typeof walks];

/**
 * The walk of a view with these strides along one of its axes, in blocks that
 * begin at multiples of 4.
 */
export function walkOf(
  { offset }: View,
  strides: readonly number[],
  axis: number,
  lanes: Lanes,
): Walk {
  if (strides[axis] === 0) return walks.repeated;
  if (strides[axis] !== 1) return walks.strided;
  if (lanes === 1 || offset % 4 !== 0) return walks.contiguous;
  for (let i = 0; i < strides.length; i++) {
    if (i !== axis && strides[i] % 4 !== 0) return walks.contiguous;
  }
  return walks.aligned;
}

/** An operand of a kernel; `NAME_at` is where its current block begins. */
export interface BlockOperand {
  /** Its name. */
  readonly name: string;
  /** How it moves along the block. */
  readonly walk: Walk;
  /** Elements in a block. */
  readonly lanes: Lanes;
  /** Whether only `count` elements of a block may be there. */
  readonly ragged: boolean;
}

const laneNumbers = [0, 1, 2, 3];

function place({ name, walk }: BlockOperand, lane: string): string {
  const step = walk === walks.strided ? ` * parameters.${name}_step` : "";
  return `${name}_at + ${lane}${step}`;
}

/** The current block of an operand, a value of WGSL's `type`. */
export function loadBlock(operand: BlockOperand, type: string): string {
  const { name, walk, lanes, ragged } = operand;
  if (lanes === 1) return `load_${name}(${name}_at)`;
  if (walk === walks.repeated) return `${type}(load_${name}(${name}_at))`;
  if (walk === walks.aligned) return `load4_${name}(${name}_at)`;
  const loads = laneNumbers.map((lane) =>
    ragged ? `min(${lane}u, count - 1u)` : `${lane}u`
  ).map((lane) => `load_${name}(${place(operand, lane)})`);
  return `${type}(${loads.join(", ")})`;
}

/** Stores a value as the current block of an operand. */
export function storeBlock(operand: BlockOperand, value: string): string {
  const { name, walk, lanes, ragged } = operand;
  if (lanes === 1) return `store_${name}(${name}_at, ${value});`;
  const one = (lane: string): string =>
    `store_${name}(${place(operand, lane)}, ${value}[${lane}]);`;
  const whole = walk === walks.aligned
    ? `store4_${name}(${name}_at, ${value});`
    : laneNumbers.map((lane) => one(`${lane}u`)).join("\n");
  if (!ragged) return whole;
  return `if (count == 4u) {
${whole}
} else {
for (var lane = 0u; lane < count; lane++) { ${one("lane")} }
}`;
}
