/**
 * Shapes and strides: pure functions of arrays of integers.
 *
 * @module
 */

/** Extents of the axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** `[2, 3]` as it appears in every message. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/**
 * Refuses what is no shape.
 *
 * @throws {RangeError} If an extent isn't an integer ≥ 0, or there are more
 *   elements than can be counted.
 */
export function checkShape(operation: string, shape: Shape): void {
  if (
    shape.some((extent) => !Number.isInteger(extent) || extent < 0) ||
    !Number.isSafeInteger(sizeOf(shape))
  ) {
    throw new RangeError(
      `${operation}: shape ${formatShape(shape)} must hold integers ≥ 0`,
    );
  }
}

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** Row-major strides, in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** Whether strides are row-major; axes of extent 1 may have any stride. */
export function isContiguous(shape: Shape, strides: Shape): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

/** Whether two shapes are equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

/**
 * The shape that all given shapes broadcast to, by NumPy's rules.
 *
 * @throws {RangeError} If two extents differ and neither is 1.
 */
export function broadcastShapes(operation: string, shapes: Shape[]): number[] {
  let rank = 0;
  for (const { length } of shapes) rank = Math.max(rank, length);
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const lead = rank - shape.length;
    for (let axis = 0; axis < shape.length; axis++) {
      const extent = shape[axis];
      if (extent === 1) continue;
      if (result[lead + axis] !== 1 && result[lead + axis] !== extent) {
        throw new RangeError(
          `${operation}: shapes ${shapes.map(formatShape).join(" and ")} ` +
            `don't broadcast: extents ${result[lead + axis]} and ${extent} ` +
            `of axis ${lead + axis - rank} differ and neither is 1`,
        );
      }
      result[lead + axis] = extent;
    }
  }
  return result;
}

/** Strides that view `shape` as `target`: 0 along axes that are repeated. */
export function broadcastStrides(
  shape: Shape,
  strides: Shape,
  target: Shape,
): number[] {
  const lead = target.length - shape.length;
  return target.map((extent, axis) => {
    if (axis < lead) return 0;
    return shape[axis - lead] === extent ? strides[axis - lead] : 0;
  });
}

/**
 * An axis counted from the front.
 *
 * @throws {RangeError} If `axis` is not in `-rank … rank - 1`.
 */
export function normalizeAxis(
  operation: string,
  axis: number,
  rank: number,
): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new RangeError(
      `${operation}: axis ${axis} is outside ${-rank} … ${rank - 1} ` +
        `for a tensor of ${rank} axes`,
    );
  }
  return axis < 0 ? axis + rank : axis;
}

/**
 * Axes counted from the front, ascending; all axes when `axes` is undefined.
 *
 * @throws {RangeError} If an axis is out of range or given twice.
 */
export function normalizeAxes(
  operation: string,
  axes: number | readonly number[] | undefined,
  rank: number,
): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = typeof axes === "number" ? [axes] : axes;
  const result = list.map((axis) => normalizeAxis(operation, axis, rank));
  result.sort((a, b) => a - b);
  if (new Set(result).size !== result.length) {
    throw new RangeError(`${operation}: axes ${formatShape(list)} repeat`);
  }
  return result;
}
