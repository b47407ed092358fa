/**
 * Arrays under names, as files hold a network's weights, taken one by one.
 *
 * @module
 */

import {
  formatShape,
  type Shape,
  type Tensor,
  tensor,
  type TypedArray,
} from "../tensor/internal.ts";
import type { HostArray } from "./safetensors.ts";
import type { Affine } from "./sublayers.ts";

/** What is done with the names of a file first. */
export interface NameRules {
  /** The name that is meant: without a prefix, say. */
  readonly rename: (name: string) => string;
  /** Whether what has a name is in files and isn't needed. */
  readonly ignore: (name: string) => boolean;
}

/** Arrays that wait to be taken. */
export class NamedArrays {
  readonly #network: string;
  readonly #left: Map<string, HostArray>;

  /**
   * @param network For messages, as `BERT`.
   * @param arrays By name.
   */
  constructor(
    network: string,
    arrays: Readonly<Record<string, HostArray>>,
    { rename, ignore }: NameRules,
  ) {
    this.#network = network;
    this.#left = new Map(
      Object.entries(arrays)
        .map(([name, array]) => [rename(name), array] as const)
        .filter(([name]) => !ignore(name)),
    );
  }

  /** Whether there is an array of a name still. */
  has(name: string): boolean {
    return this.#left.has(name);
  }

  /**
   * The values under a name.
   *
   * @throws {RangeError} If there are none, or of another shape or kind.
   */
  take(name: string, shape: Shape): TypedArray {
    const array = this.#left.get(name);
    if (array === undefined) {
      throw new RangeError(
        `${this.#network} weights: "${name}" is missing, which must be ` +
          `${formatShape(shape)}; give weights of this kind of network, or a ` +
          `configuration that fits them`,
      );
    }
    this.#left.delete(name);
    if (array.shape.join() !== shape.join()) {
      throw new RangeError(
        `${this.#network} weights: "${name}" has shape ` +
          `${formatShape(array.shape)}, not ${formatShape(shape)} as the ` +
          `configuration says; change the one or the other`,
      );
    }
    if (array.dtype === "i32" || array.dtype === "bool") {
      throw new RangeError(
        `${this.#network} weights: "${name}" holds ${array.dtype}, not real ` +
          `numbers`,
      );
    }
    return array.values;
  }

  /** The tensor under a name, in another shape of the same size if told. */
  tensor(name: string, stored: Shape, shape: Shape = stored): Tensor {
    return tensor(this.take(name, stored), { shape });
  }

  /** A normalization: `name.weight` and `name.bias`. */
  norm(name: string, width: number): Affine {
    return {
      weight: this.tensor(`${name}.weight`, [width]),
      bias: this.tensor(`${name}.bias`, [width]),
    };
  }

  /** A matrix `[inner, outer]` that is stored `[outer, inner]`. */
  matrix(name: string, [inner, outer]: readonly [number, number]): Tensor {
    const values = this.take(name, [outer, inner]);
    return tensor(transposed(values, outer, inner), { shape: [inner, outer] });
  }

  /** A linear layer: `name.weight`, stored `[out, in]`, and `name.bias`. */
  linear(name: string, inner: number, outer: number): Affine {
    return {
      weight: this.matrix(`${name}.weight`, [inner, outer]),
      bias: this.tensor(`${name}.bias`, [outer]),
    };
  }

  /**
   * To be called in the end.
   *
   * @throws {RangeError} If arrays are left that nobody took.
   */
  finish(): void {
    if (this.#left.size === 0) return;
    const names = [...this.#left.keys()];
    const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
    throw new RangeError(
      `${this.#network} weights: unexpected ${names.slice(0, 3).join(", ")}` +
        `${more}; give weights of this kind of network, or a configuration ` +
        `that fits them, of as many layers`,
    );
  }
}

/** A row-major matrix `[rows, columns]` as `[columns, rows]`. */
export function transposed(
  values: TypedArray,
  rows: number,
  columns: number,
): TypedArray {
  const result = values.slice();
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = values[row * columns + column];
    }
  }
  return result;
}

/** Collects tensors as named arrays for a file. */
export class ArrayWriter {
  /** What was put so far. */
  readonly arrays: Record<string, HostArray> = {};

  /** Puts values as they are. */
  put(name: string, values: TypedArray, shape: Shape): void {
    const dtype = values instanceof Float64Array ? "f64" : "f32";
    this.arrays[name] = { dtype, shape, values };
  }

  /** Puts a tensor, in another shape of the same size if told. */
  async tensor(name: string, x: Tensor, shape: Shape = x.shape): Promise<void> {
    this.put(name, await x.data(), shape);
  }

  /** Puts a normalization. */
  async norm(name: string, { weight, bias }: Affine): Promise<void> {
    await this.tensor(`${name}.weight`, weight);
    await this.tensor(`${name}.bias`, bias);
  }

  /** Puts a matrix `[in, out]` as `[out, in]`. */
  async matrix(name: string, x: Tensor): Promise<void> {
    const [inner, outer] = x.shape;
    this.put(name, transposed(await x.data(), inner, outer), [outer, inner]);
  }

  /** Puts a linear layer, its weight as `[out, in]`. */
  async linear(name: string, { weight, bias }: Affine): Promise<void> {
    await this.matrix(`${name}.weight`, weight);
    await this.tensor(`${name}.bias`, bias);
  }
}
