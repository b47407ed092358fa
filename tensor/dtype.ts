/**
 * Element types of tensors and the typed arrays that hold them.
 *
 * @module
 */

/**
 * Element type of a tensor. `f64` exists on the `reference` device only, `f16`
 * on `webgpu` only, where the adapter has `shader-f16`: it is a way to store
 * real numbers, all arithmetic is done in f32.
 */
export type Dtype = "f16" | "f32" | "f64" | "i32" | "bool";

/**
 * Host memory for the elements of a tensor; booleans are bytes 0 and 1, numbers
 * of 16 bits are held in 32.
 */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Bytes of one element on most devices. */
export const bytesPerElement: Readonly<Record<Dtype, number>> = {
  f16: 2,
  f32: 4,
  f64: 8,
  i32: 4,
  bool: 1,
};

/** Whether a dtype holds real numbers, and so can have a gradient. */
export function isFloat(dtype: Dtype): boolean {
  return dtype === "f32" || dtype === "f64" || dtype === "f16";
}

/** A zeroed typed array of `length` elements of `dtype`. */
export function typedArray(dtype: Dtype, length: number): TypedArray {
  switch (dtype) {
    case "f16":
    case "f32":
      return new Float32Array(length);
    case "f64":
      return new Float64Array(length);
    case "i32":
      return new Int32Array(length);
    case "bool":
      return new Uint8Array(length);
  }
}

/** The dtype whose elements a typed array holds. */
export function dtypeOf(values: TypedArray): Dtype {
  if (values instanceof Float32Array) return "f32";
  if (values instanceof Float64Array) return "f64";
  if (values instanceof Int32Array) return "i32";
  return "bool";
}
