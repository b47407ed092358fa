/**
 * Matrix products as launches see them: operands with strides along the joint
 * axes of the product, as few axes as possible, and parts of such products.
 *
 * @module
 */

import type { MatmulArguments, View } from "../backend.ts";
import type { Gpu } from "./gpu.ts";
import { longestAxis, viewsTooWide } from "./windows.ts";

/**
 * A batch of products. The operands have one shape, the joint axes `[…batch,
 * rows, columns, inner]`, and stride 0 along those that they lack.
 */
export interface MatmulProblem {
  /** Extents of the joint axes. */
  readonly extents: readonly number[];
  /** Left factors; no columns. */
  readonly a: View;
  /** Right factors; no rows. */
  readonly b: View;
  /** Results; no inner axis; columns have stride 1. */
  readonly out: View;
  /** Added to the product. */
  readonly bias: View | undefined;
  /** Added last; may be `out`. */
  readonly residual: View | undefined;
  /** Factor of product and bias. */
  readonly alpha: number;
}

/** Where an operand has rows, columns and inner axis; -1 lacks it. */
type Places = readonly [rows: number, columns: number, inner: number];

const ofA: Places = [0, -1, 1];
const ofB: Places = [-1, 1, 0];
const ofOut: Places = [0, 1, -1];

/** The operands that there are: a, b, out, and what is added. */
export function operandsOf(
  { a, b, out, bias, residual }: MatmulArguments,
): View[] {
  const operands = [a, b, out];
  if (bias !== undefined) operands.push(bias);
  if (residual !== undefined) operands.push(residual);
  return operands;
}

/** The product that `args` ask for. */
export function problemOf(args: MatmulArguments): MatmulProblem {
  const { a, b, out, bias, residual, alpha } = args;
  const batch = out.shape.length - 2;
  const rows = out.shape[batch];
  const columns = out.shape[batch + 1];
  const inner = a.shape[batch + 1];
  const extents = [...out.shape.slice(0, batch), rows, columns, inner];
  const given: (View | undefined)[] = [a, b, out, bias, residual];
  const places = [ofA, ofB, ofOut, ofOut, ofOut];
  const strides = given.map((view, i) =>
    view === undefined ? undefined : jointStrides(view, places[i])
  );
  // Along axes of extent 1 any stride will do.
  for (let axis = 0; axis < extents.length; axis++) {
    if (extents[axis] !== 1) continue;
    for (const steps of strides) if (steps !== undefined) steps[axis] = 0;
  }
  if (columns === 1) transposeColumn(extents, strides, given);
  mergeBatch(extents, strides.filter((steps) => steps !== undefined));
  const joint = (i: number): View | undefined => {
    const view = given[i];
    if (view === undefined) return undefined;
    const { buffer, dtype, offset } = view;
    return { buffer, dtype, offset, shape: extents, strides: strides[i]! };
  };
  return {
    extents,
    a: joint(0)!,
    b: joint(1)!,
    out: joint(2)!,
    bias: joint(3),
    residual: joint(4),
    alpha,
  };
}

function jointStrides({ strides }: View, places: Places): number[] {
  const batch = strides.length - 2;
  const joint = strides.slice(0, batch);
  for (const place of places) {
    joint.push(place < 0 ? 0 : strides[batch + place]);
  }
  return joint;
}

/**
 * Products with one column are products with one row, if neighbouring rows of
 * the result are neighbours in memory: threads take several columns.
 */
function transposeColumn(
  extents: number[],
  strides: (number[] | undefined)[],
  views: (View | undefined)[],
): void {
  const rows = extents.length - 3;
  if (extents[rows] !== 1 && strides[2]![rows] !== 1) return;
  for (const list of [extents, ...strides]) {
    if (list !== undefined) swap(list, rows, rows + 1);
  }
  swap(strides, 0, 1);
  swap(views, 0, 1);
}

function swap<T>(list: T[], i: number, j: number): void {
  [list[i], list[j]] = [list[j], list[i]];
}

/**
 * Drops batch axes of extent 1, and joins neighbours that all operands cross
 * alike, rows among them. A single row becomes the rows of a batch over which
 * b repeats.
 */
function mergeBatch(extents: number[], strides: readonly number[][]): void {
  const [, ofB] = strides;
  for (let axis = extents.length - 4; axis >= 0; axis--) {
    const next = axis + 1;
    const isSingleRow = next === extents.length - 3 && extents[next] === 1 &&
      ofB[axis] === 0;
    if (extents[axis] !== 1) {
      if (isSingleRow) {
        for (const steps of strides) steps[next] = steps[axis];
      } else if (
        !strides.every((steps) => steps[axis] === extents[next] * steps[next])
      ) {
        continue;
      }
      extents[next] *= extents[axis];
    }
    extents.splice(axis, 1);
    for (const steps of strides) steps.splice(axis, 1);
  }
}

/** Whether neighbours along an axis can be read four at a time. */
export function isVector(view: View, axis: number): boolean {
  const { shape, strides, offset } = view;
  if (strides[axis] !== 1 || shape[axis] % 4 !== 0 || offset % 4 !== 0) {
    return false;
  }
  for (let other = 0; other < strides.length; other++) {
    if (other !== axis && strides[other] % 4 !== 0) return false;
  }
  return true;
}

/** Elements `begin` … `end` − 1 of a problem along a joint axis. */
export function partOf(
  problem: MatmulProblem,
  axis: number,
  begin: number,
  end: number,
): MatmulProblem {
  const extents = problem.extents.with(axis, end - begin);
  const part = (view: View): View => ({
    buffer: view.buffer,
    dtype: view.dtype,
    strides: view.strides,
    shape: extents,
    offset: view.offset + begin * view.strides[axis],
  });
  const { a, b, out, bias, residual, alpha } = problem;
  return {
    extents,
    a: part(a),
    b: part(b),
    out: part(out),
    bias: bias && part(bias),
    residual: residual && part(residual),
    alpha,
  };
}

/**
 * Two halves of a problem along an axis, to be computed one after the other:
 * a second half of the inner axis adds to the result of the first one.
 */
export function halvesOf(
  problem: MatmulProblem,
  axis: number,
): [MatmulProblem, MatmulProblem] {
  const extent = problem.extents[axis];
  // Multiples of 4 keep vectors whole.
  const half = extent >= 8 ? Math.ceil(extent / 8) * 4 : Math.ceil(extent / 2);
  const first = partOf(problem, axis, 0, half);
  const second = partOf(problem, axis, half, extent);
  const isInner = axis === problem.extents.length - 1;
  return [
    first,
    isInner ? { ...second, bias: undefined, residual: second.out } : second,
  ];
}

/**
 * The axis along which a problem is to be halved because some operand is too
 * large to bind; undefined if all fit, or none can be halved further.
 */
export function axisToSplit(
  gpu: Gpu,
  problem: MatmulProblem,
): number | undefined {
  const axis = longestAxis(viewsTooWide(gpu, operandsOf(problem)));
  return axis < 0 ? undefined : axis;
}
