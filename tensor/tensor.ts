/**
 * The tensor: an immutable, strided view of device memory.
 *
 * @module
 */

import { type Dtype, dtypeOf, type TypedArray, typedArray } from "./dtype.ts";
import type { View } from "./backend.ts";
import type { Device } from "./devices.ts";
import { formatTensor } from "./format.ts";
import { currentScope, type Scope } from "./scope.ts";
import {
  checkShape,
  contiguousStrides,
  formatShape,
  isContiguous,
  type Shape,
  sizeOf,
} from "./shape.ts";
import { Storage } from "./storage.ts";

/** Nested arrays of numbers or truth values. */
export type NestedArray = number | boolean | readonly NestedArray[];

// A safety net for tensors that no scope looks after; not the plan.
const unreachable = new FinalizationRegistry<Storage>((storage) =>
  storage.release()
);

let nextId = 1;

/**
 * An n-dimensional array on a device. Tensors are immutable; operations make
 * new ones, or views that share memory. Make them with `tensor`, `zeros`, … and
 * compute with the functions of this package.
 */
export class Tensor implements View {
  /** Names the value: handles made by `retain` share it. */
  readonly id: number;
  /** Element type. */
  readonly dtype: Dtype;
  /** Extents of the axes. */
  readonly shape: Shape;
  /** Distance of neighbours along each axis, in elements. */
  readonly strides: Shape;
  /** Position of the first element in the memory, in elements. */
  readonly offset: number;
  /** Where it lives. */
  readonly device: Device;
  #storage: Storage;
  #scope: Scope | undefined;
  #end: string | undefined;

  /** Used by operations; users call `tensor`, `zeros`, …. */
  constructor(
    device: Device,
    storage: Storage,
    dtype: Dtype,
    shape: Shape,
    strides: Shape = contiguousStrides(shape),
    offset = 0,
    scope: Scope | null | undefined = currentScope(),
    id: number = nextId++,
  ) {
    this.id = id;
    this.device = device;
    this.dtype = dtype;
    this.shape = shape;
    this.strides = strides;
    this.offset = offset;
    this.#storage = storage;
    storage.retain();
    this.#scope = scope ?? undefined;
    this.#scope?.adopt(this);
    if (this.#scope === undefined) unreachable.register(this, storage, this);
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** Whether elements lie in row-major order without gaps. */
  get contiguous(): boolean {
    return isContiguous(this.shape, this.strides);
  }

  /** The operation that made it. */
  get origin(): string {
    return this.#storage.origin;
  }

  /** The memory that it views. */
  get storage(): Storage {
    this.#assertAlive();
    return this.#storage;
  }

  /** Device memory, for kernels. */
  get buffer(): View["buffer"] {
    this.#assertAlive();
    return this.#storage.buffer;
  }

  /** The scope that frees it, if any. */
  get scope(): Scope | undefined {
    return this.#scope;
  }

  /** Whether it was freed. */
  get disposed(): boolean {
    return this.#end !== undefined;
  }

  #assertAlive(): void {
    if (this.#end === undefined) return;
    const site = this.#storage.site;
    throw new ReferenceError(
      `tensor ${formatShape(this.shape)} made by ${this.origin}` +
        `${
          site === undefined ? "" : ` at ${site}`
        } was used after ${this.#end}`,
    );
  }

  /**
   * Frees it now; its memory goes back when no view shares it. Freeing twice is
   * allowed.
   *
   * @param reason What ended it, for the message if it is used again.
   */
  dispose(reason = "it was freed (by dispose or the end of its scope)"): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    if (this.#scope === undefined) unreachable.unregister(this);
    else this.#scope.forget(this);
    this.#scope = undefined;
    this.#storage.release();
  }

  /** Frees it at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Puts it under the care of another scope, or of none. */
  moveTo(scope: Scope | undefined): void {
    if (this.#end !== undefined) return;
    if (this.#scope === undefined) unreachable.unregister(this);
    else this.#scope.forget(this);
    this.#scope = scope;
    if (scope === undefined) unreachable.register(this, this.#storage, this);
    else scope.adopt(this);
  }

  /** A view of the same memory. */
  view(shape: Shape, strides: Shape, offset: number): Tensor {
    return new Tensor(
      this.device,
      this.storage,
      this.dtype,
      shape,
      strides,
      offset,
    );
  }

  /** Another handle on the same value, in no scope: free it with `dispose`. */
  retain(): Tensor {
    return new Tensor(
      this.device,
      this.storage,
      this.dtype,
      this.shape,
      this.strides,
      this.offset,
      // null, for undefined would mean the current scope
      null,
      this.id,
    );
  }

  /**
   * The elements in row-major order; booleans are bytes 0 and 1.
   *
   * @throws {ReferenceError} If the tensor was freed.
   */
  async data(): Promise<TypedArray> {
    if (this.device.backend.synchronous) await othersTurn();
    return await this.#read();
  }

  #read(): TypedArray | Promise<TypedArray> {
    const { host } = this.storage;
    if (host !== undefined) return gatherStrided(host, this);
    if (this.contiguous) {
      return this.device.backend.read(
        this.buffer,
        this.dtype,
        this.offset,
        this.size,
      );
    }
    const copy = this.device.copy(this);
    const values = this.device.backend.read(
      copy.buffer,
      this.dtype,
      0,
      this.size,
    );
    copy.dispose();
    return values;
  }

  /**
   * The value of a tensor of one element; booleans are 0 and 1.
   *
   * @throws {TypeError} If it has another number of elements.
   */
  async item(): Promise<number> {
    if (this.size !== 1) {
      throw new TypeError(
        `item: a tensor of shape ${formatShape(this.shape)} has ` +
          `${this.size} elements, not 1; use data() or array()`,
      );
    }
    return (await this.data())[0];
  }

  /** The elements as nested arrays; booleans as `true` and `false`. */
  async array(): Promise<NestedArray> {
    const values = await this.data();
    const { shape, dtype } = this;
    const build = (axis: number, from: number, size: number): NestedArray => {
      if (axis === shape.length) {
        return dtype === "bool" ? values[from] !== 0 : values[from];
      }
      const step = size / shape[axis];
      return Array.from(
        { length: shape[axis] },
        (_, i) => build(axis + 1, from + i * step, step),
      );
    };
    return build(0, 0, this.size);
  }

  /** Moves a tensor whose values can be read at once to the host. */
  rest(): this {
    if (!this.device.backend.synchronous) return this;
    const values = this.#read();
    if (!(values instanceof Promise) && this.contiguous && this.offset === 0) {
      this.#storage.rest(values);
    }
    return this;
  }

  /** Shape, dtype, device and, where they can be read at once, values. */
  toString(): string {
    const title = `Tensor ${
      formatShape(this.shape)
    } ${this.dtype} on ${this.device.name}`;
    if (this.disposed) return `${title} (freed)`;
    const values = this.device.backend.synchronous ? this.#read() : undefined;
    return values === undefined || values instanceof Promise
      ? title
      : `${title}\n${formatTensor(values, this.shape, this.dtype)}`;
  }

  /** What `console.log` shows in Deno. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/** How long a program may read values without a pause, in milliseconds. */
const longestTurn = 20;
let turnBegan = 0;

// Where values can be read at once, a loop that awaits nothing else would never
// let the garbage collector's finalizers run, nor timers and signals.
async function othersTurn(): Promise<void> {
  if (performance.now() - turnBegan < longestTurn) return;
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  turnBegan = performance.now();
}

function gatherStrided(host: TypedArray, tensor: Tensor): TypedArray {
  const { shape, strides, offset } = tensor;
  const result = typedArray(dtypeOf(host), tensor.size);
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < result.length; i++) {
    let at = offset;
    for (let axis = 0; axis < shape.length; axis++) {
      at += index[axis] * strides[axis];
    }
    result[i] = host[at];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
  return result;
}

/** A new tensor of undefined contents. */
export function empty(
  device: Device,
  dtype: Dtype,
  shape: Shape,
  origin: string,
): Tensor {
  checkShape(origin, shape);
  device.assertOpen();
  const storage = new Storage(
    device,
    dtype,
    shape,
    origin,
    device.debug ? callSite() : undefined,
  );
  return new Tensor(device, storage, dtype, shape);
}

// The innermost stack frame outside this package's tensor and autograd folders.
function callSite(): string {
  const inside = new URL("..", import.meta.url).href;
  const frame = (new Error().stack ?? "").split("\n").find((line) =>
    /:\/\//.test(line) && !line.includes(`${inside}tensor/`) &&
    !line.includes(`${inside}autograd/`)
  );
  return (frame ?? "an unknown place").replace(/^\s*at /, "");
}
