/**
 * New tensors from numbers.
 *
 * @module
 */

import { type Dtype, dtypeOf, type TypedArray, typedArray } from "../dtype.ts";
import { type Device, getDefaultDevice } from "../devices.ts";
import { checkShape, formatShape, type Shape, sizeOf } from "../shape.ts";
import { assertOneDevice } from "../operation.ts";
import { empty, type NestedArray, type Tensor } from "../tensor.ts";

/** Where a new tensor lives and what it holds. */
export interface CreationOptions {
  /** Default: the default device. */
  readonly device?: Device;
  /** Default: real numbers of the device's dtype. */
  readonly dtype?: Dtype;
}

/** Options of `tensor`. */
export interface TensorOptions extends CreationOptions {
  /** For flat values; default: as the arrays are nested. */
  readonly shape?: Shape;
}

/**
 * A tensor of given values: a number, nested arrays, or a flat typed array with
 * a shape. Dtype: as told; else i32 for Int32Array, bool for truth values and Uint8Array, otherwise
 * real numbers.
 *
 * @throws {RangeError} If arrays are ragged or values don't fill the shape.
 *
 * @example
 * ```ts
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("reference");
 * const ids = tensor([[1, 2], [3, 4]], { dtype: "i32" });
 * const x = tensor(new Float32Array(6), { shape: [2, 3] });
 * console.log(ids.dtype, x.shape); // i32 [ 2, 3 ]
 * ```
 */
export function tensor(
  values: NestedArray | TypedArray,
  options: TensorOptions = {},
): Tensor {
  const device = options.device ?? getDefaultDevice();
  const flat = ArrayBuffer.isView(values)
    ? { shape: [values.length], values, bool: values instanceof Uint8Array }
    : flatten(values);
  const given = ArrayBuffer.isView(values) ? dtypeOf(values) : undefined;
  const dtype = storable(
    device,
    options.dtype ?? (given === "i32" ? "i32" : flat.bool ? "bool" : "f32"),
  );
  const shape = options.shape ?? flat.shape;
  checkShape("tensor", shape);
  if (sizeOf(shape) !== flat.values.length) {
    throw new RangeError(
      `tensor: ${flat.values.length} values don't fill shape ${
        formatShape(shape)
      }`,
    );
  }
  const result = empty(device, dtype, shape, "tensor");
  device.backend.write(result.buffer, convert(flat.values, dtype), 0, dtype);
  return result;
}

/**
 * Real numbers have the device's dtype, whichever float was asked for, or f16
 * where it stores them.
 */
function storable(device: Device, dtype: Dtype): Dtype {
  if (dtype === "f16") return device.halves ? dtype : device.floatDtype;
  return dtype === "f32" || dtype === "f64" ? device.floatDtype : dtype;
}

function convert(values: ArrayLike<number>, dtype: Dtype): TypedArray {
  const result = typedArray(dtype, values.length);
  if (dtype === "i32") {
    const bad = Array.prototype.findIndex.call(values, (x) => x !== (x | 0));
    if (bad >= 0) {
      throw new RangeError(
        `tensor: value ${values[bad]} at ${bad} is no 32-bit integer`,
      );
    }
  }
  if (dtype === "bool") {
    for (let i = 0; i < values.length; i++) result[i] = values[i] === 0 ? 0 : 1;
  } else result.set(values);
  return result;
}

function flatten(
  nested: NestedArray,
): { shape: number[]; values: number[]; bool: boolean } {
  const shape: number[] = [];
  for (let level = nested; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  const values: number[] = [];
  let bool = true;
  const visit = (node: NestedArray, axis: number): void => {
    if (Array.isArray(node)) {
      if (node.length !== shape[axis]) {
        throw new RangeError(
          `tensor: arrays are ragged: one along axis ${axis} has ` +
            `${node.length} elements, the first has ${shape[axis]}`,
        );
      }
      for (const child of node) visit(child, axis + 1);
    } else {
      if (axis !== shape.length) {
        throw new RangeError(
          `tensor: arrays are ragged: a value at depth ${axis}, others at ` +
            `depth ${shape.length}`,
        );
      }
      if (typeof node !== "boolean") bool = false;
      values.push(Number(node));
    }
  };
  visit(nested, 0);
  return { shape, values, bool: bool && values.length > 0 };
}

/** A tensor full of one value. */
export function full(
  shape: Shape,
  value: number,
  options: CreationOptions = {},
): Tensor {
  const device = options.device ?? getDefaultDevice();
  const dtype = storable(device, options.dtype ?? "f32");
  const result = empty(device, dtype, shape, "full");
  device.fill(result, value);
  return result;
}

/** A tensor of zeros. */
export function zeros(shape: Shape, options: CreationOptions = {}): Tensor {
  return full(shape, 0, options);
}

/** A tensor of ones. */
export function ones(shape: Shape, options: CreationOptions = {}): Tensor {
  return full(shape, 1, options);
}

/** Zeros of the shape, dtype and device of another tensor. */
export function zerosLike(x: Tensor): Tensor {
  return zeros(x.shape, x);
}

/** Ones of the shape, dtype and device of another tensor. */
export function onesLike(x: Tensor): Tensor {
  return ones(x.shape, x);
}

/** start, start + step, … below stop; i32 when all three are integers. */
export function arange(
  start: number,
  stop: number,
  step = 1,
  options: CreationOptions = {},
): Tensor {
  if (step === 0 || !Number.isFinite((stop - start) / step)) {
    throw new RangeError(
      `arange: ${start} … ${stop} by ${step} has no end; step must not be 0`,
    );
  }
  const count = Math.max(0, Math.ceil((stop - start) / step));
  const values = Float64Array.from(
    { length: count },
    (_, i) => start + i * step,
  );
  const integers = [start, stop, step].every(Number.isInteger);
  return tensor(values, { dtype: integers ? "i32" : "f32", ...options });
}

/** `count` numbers from start to stop, both included. */
export function linspace(
  start: number,
  stop: number,
  count: number,
  options: CreationOptions = {},
): Tensor {
  if (!Number.isInteger(count) || count < 2) {
    throw new RangeError(`linspace: count ${count} must be an integer ≥ 2`);
  }
  const step = (stop - start) / (count - 1);
  const values = Float64Array.from(
    { length: count },
    (_, i) => start + i * step,
  );
  return tensor(values, options);
}

/** The identity matrix `[n, n]`. */
export function eye(n: number, options: CreationOptions = {}): Tensor {
  const values = new Float32Array(n * n);
  for (let i = 0; i < n; i++) values[i * n + i] = 1;
  return tensor(values, { shape: [n, n], ...options });
}

/**
 * Writes `source` into the memory of `target`, an element for an element; for
 * parameters and buffers that keep their place. Tapes don't see it: never
 * assign to what a pullback still needs.
 *
 * @throws {RangeError} If shapes differ.
 */
export function assign(target: Tensor, source: Tensor): void {
  if (
    target.dtype !== source.dtype ||
    formatShape(target.shape) !== formatShape(source.shape)
  ) {
    throw new RangeError(
      `assign: can't put ${formatShape(source.shape)} ${source.dtype} into ${
        formatShape(target.shape)
      } ${target.dtype}`,
    );
  }
  assertOneDevice("assign", [target, source]);
  target.device.assign(target, source);
}
