/**
 * A small WebAssembly assembler with typed locals.
 *
 * Kernels are written as TypeScript functions that emit instructions. Values
 * are {@linkcode Value}s: trees of instructions that are emitted where they
 * are used; {@linkcode Local}s hold what is used more than once. There is one
 * address type, `ptr`, which is i32 in modules over a 32-bit memory and i64 in
 * modules over a 64-bit one; kernels don't know which.
 *
 * Exported functions take pointers as f64, exact up to 2⁵³, so that JavaScript
 * calls both kinds of module with plain numbers.
 *
 * @module
 */

import {
  f32,
  f64,
  i32,
  lane,
  type Local,
  scalar,
  type ScalarName,
  scalarOpcodes,
  shuffle,
  signed,
  simd,
  splat,
  typeBytes,
  unsigned,
  type Value,
  type WasmType,
} from "./instructions.ts";

export {
  choose,
  f32,
  f64,
  i32,
  lane,
  type Local,
  scalar,
  type ScalarName,
  shuffle,
  simd,
  type SimdName,
  simdShift,
  simdTest,
  splat,
  type Value,
  vectorOf,
  type WasmType,
} from "./instructions.ts";

/** What memory the module uses, and how floats are multiplied and added. */
export interface Target {
  /** Addresses are 64 bits wide. */
  readonly wide: boolean;
  /** Memory is shared, its size in pages of 64 KiB; initial = maximum. */
  readonly pages: number;
  /** Whether the memory is shared between threads. */
  readonly shared: boolean;
  /** `f32x4.relaxed_madd` may be used. */
  readonly relaxed: boolean;
}

/** The body of one function, being written. */
export class FunctionBuilder {
  /** The module it belongs to. */
  readonly module: ModuleBuilder;
  /** Index in the module, for `call`. */
  readonly index: number;
  /** Types of the parameters. */
  readonly parameters: readonly WasmType[];
  /** Type of the result, if there is one. */
  readonly result: WasmType | undefined;
  #locals: WasmType[] = [];
  #code: number[] = [];
  #prologue: number[] = [];
  #arguments: Local[] = [];
  #constants = new Map<string, Local>();

  /** Made by `ModuleBuilder.function`. */
  constructor(
    module: ModuleBuilder,
    index: number,
    parameters: readonly WasmType[],
    result: WasmType | undefined,
    exported: boolean,
  ) {
    this.module = module;
    this.index = index;
    this.parameters = parameters.map((type) =>
      exported && type === "ptr" ? "f64" : type
    );
    this.result = result;
    this.#arguments = parameters.map((type, position) => {
      const given = this.#localAt(this.parameters[position], position);
      if (!exported || type !== "ptr") return { ...given, type };
      const pointer = this.local("ptr");
      const convert = module.target.wide ? 0xb1 : 0xab; // trunc_f64_u
      this.#prologue.push(
        ...given.code,
        convert,
        0x21,
        ...unsigned(pointer.index),
      );
      return pointer;
    });
  }

  #localAt(type: WasmType, index: number): Local {
    return { type, index, code: [0x20, ...unsigned(index)] };
  }

  /** The parameters, as locals. */
  get arguments(): readonly Local[] {
    return this.#arguments;
  }

  /** A new local, zero at first, or holding `value`. */
  local(type: WasmType, value?: Value): Local {
    const local = this.#localAt(
      type,
      this.parameters.length + this.#locals.length,
    );
    this.#locals.push(type);
    if (value !== undefined) this.set(local, value);
    return local;
  }

  /** A new local that holds `value`. */
  let(value: Value): Local {
    return this.local(value.type, value);
  }

  /**
   * A vector with `value` in all lanes, set once when the function starts.
   * Loops would rebuild a vector constant on every use.
   */
  constant(value: number, type: "f32" | "i32" | "f64" = "f32"): Local {
    const key = `${type}:${Object.is(value, -0) ? "-0" : value}`;
    let local = this.#constants.get(key);
    if (local === undefined) {
      local = this.local("v128");
      const number = { f32, i32, f64 }[type](value);
      this.#prologue.push(
        ...splat(number).code,
        0x21,
        ...unsigned(local.index),
      );
      this.#constants.set(key, local);
    }
    return local;
  }

  /** local = value */
  set(local: Local, value: Value): void {
    if (local.type !== value.type) {
      throw new TypeError(`local is ${local.type}, value is ${value.type}`);
    }
    this.#code.push(...value.code, 0x21, ...unsigned(local.index));
  }

  /** Emits a value or a call for its effect; a result is dropped by `drop`. */
  emit(code: readonly number[]): void {
    for (const byte of code) this.#code.push(byte);
  }

  /** Returns from the function. */
  return(value?: Value): void {
    this.#code.push(...(value?.code ?? []), 0x0f);
  }

  /** if (condition) then(); else otherwise(). */
  if(condition: Value, then: () => void, otherwise?: () => void): void {
    this.#code.push(...condition.code, 0x04, 0x40);
    then();
    if (otherwise !== undefined) {
      this.#code.push(0x05);
      otherwise();
    }
    this.#code.push(0x0b);
  }

  /** while (condition) body(). */
  while(condition: Value, body: () => void): void {
    this.#code.push(...condition.code, 0x04, 0x40, 0x03, 0x40);
    body();
    this.#code.push(...condition.code, 0x0d, 0, 0x0b, 0x0b);
  }

  /**
   * for (counter = start; counter < end; counter += step) body(), on i32s or
   * pointers; `counter` must not change in the body.
   */
  for(
    counter: Local,
    start: Value,
    end: Value,
    step: number,
    body: () => void,
  ): void {
    this.set(counter, start);
    this.while(this.lessThan(counter, end), () => {
      body();
      this.add(counter, step);
    });
  }

  /** a < b, on i32s (signed) or pointers (unsigned). */
  lessThan(a: Value, b: Value): Value {
    if (a.type === "i32") return scalar("i32.lt_s", a, b);
    return this.#pointer("i32.lt_u", "i64.lt_u", a, b);
  }

  /** local += value, on i32s or pointers; a number or a value of its type. */
  add(local: Local, value: number | Value): void {
    if (local.type === "ptr") this.set(local, this.offset(local, value));
    else {
      const by = typeof value === "number" ? i32(value) : value;
      this.set(local, scalar("i32.add", local, by));
    }
  }

  #pointer(narrow: ScalarName, wide: ScalarName, a: Value, b: Value): Value {
    const name = this.module.target.wide ? wide : narrow;
    const result = scalar(name, a, b);
    const [, type] = scalarOpcodes[name];
    return {
      ...result,
      type: type === "i32" && /lt|eq|ne/.test(name) ? "i32" : "ptr",
    };
  }

  /** A pointer constant, or an i32 (unsigned) as a pointer. */
  pointer(value: number | Value): Value {
    const { wide } = this.module.target;
    if (typeof value === "number") {
      return {
        type: "ptr",
        code: [wide ? 0x42 : 0x41, ...signed(wide ? value : value | 0)],
      };
    }
    if (value.type === "ptr") return value;
    return {
      type: "ptr",
      code: wide ? [...value.code, 0xad] : value.code, // extend_i32_u
    };
  }

  /** A signed i32 (a stride, say) as a pointer difference. */
  difference(value: Value): Value {
    const { wide } = this.module.target;
    return {
      type: "ptr",
      code: wide ? [...value.code, 0xac] : value.code, // extend_i32_s
    };
  }

  /** A signed f64 integer as a pointer difference. */
  truncated(value: Value): Value {
    const { wide } = this.module.target;
    const name = wide ? "i64.trunc_f64_s" : "i32.trunc_f64_s";
    return { ...scalar(name, value), type: "ptr" };
  }

  /** pointer + bytes; bytes is a number, an i32 (unsigned) or a pointer. */
  offset(pointer: Value, bytes: number | Value): Value {
    return this.#pointer("i32.add", "i64.add", pointer, this.pointer(bytes));
  }

  /** a − b of pointers. */
  minus(a: Value, b: Value): Value {
    return this.#pointer("i32.sub", "i64.sub", a, b);
  }

  /** count · bytes as a pointer difference; either may be an i32 (signed). */
  times(a: Value, b: number | Value): Value {
    const left = a.type === "ptr" ? a : this.difference(a);
    const right = typeof b === "number"
      ? this.pointer(b)
      : b.type === "ptr"
      ? b
      : this.difference(b);
    return this.#pointer("i32.mul", "i64.mul", left, right);
  }

  #access(
    opcode: readonly number[],
    align: number,
    address: Value,
    at: number,
  ): number[] {
    return [...address.code, ...opcode, align, ...unsigned(at)];
  }

  /** The scalar at address + at. */
  load(
    type: "f32" | "i32" | "f64" | "u8" | "i64",
    address: Value,
    at = 0,
  ): Value {
    const [opcode, align] = {
      f32: [0x2a, 2],
      i32: [0x28, 2],
      i64: [0x29, 3],
      f64: [0x2b, 3],
      u8: [0x2d, 0],
    }[type];
    return {
      type: type === "u8" ? "i32" : type,
      code: this.#access([opcode], align, address, at),
    };
  }

  /** Stores a scalar at address + at. */
  store(
    type: "f32" | "i32" | "f64" | "u8" | "i64",
    address: Value,
    value: Value,
    at = 0,
  ): void {
    const [opcode, align] = {
      f32: [0x38, 2],
      i32: [0x36, 2],
      i64: [0x37, 3],
      f64: [0x39, 3],
      u8: [0x3a, 0],
    }[type];
    this.emit([...address.code, ...value.code, opcode, align, ...unsigned(at)]);
  }

  /** Four lanes at address + at. */
  loadVector(address: Value, at = 0): Value {
    return { type: "v128", code: this.#access([0xfd, 0x00], 2, address, at) };
  }

  /** One 32-bit scalar at address + at, in all four lanes. */
  loadSplat(address: Value, at = 0): Value {
    return { type: "v128", code: this.#access([0xfd, 0x09], 2, address, at) };
  }

  /** One 32-bit scalar at address + at in lane 0, zeros above. */
  loadZero(address: Value, at = 0): Value {
    return { type: "v128", code: this.#access([0xfd, 0x5c], 2, address, at) };
  }

  /** `vector` with one lane replaced by the 32-bit scalar at address + at. */
  loadLane(vector: Value, index: number, address: Value, at = 0): Value {
    return {
      type: "v128",
      code: [
        ...address.code,
        ...vector.code,
        0xfd,
        0x56,
        2,
        ...unsigned(at),
        index,
      ],
    };
  }

  /** `vector` with one of 16 bytes replaced by the byte at address + at. */
  loadByteLane(vector: Value, index: number, address: Value, at = 0): Value {
    return {
      type: "v128",
      code: [
        ...address.code,
        ...vector.code,
        0xfd,
        0x54,
        0,
        ...unsigned(at),
        index,
      ],
    };
  }

  /** A pointer, stored as 64 bits, at address + at. */
  loadPointer(address: Value, at = 0): Value {
    const type = this.module.target.wide ? "i64" : "i32";
    return { ...this.load(type, address, at), type: "ptr" };
  }

  /** Stores four lanes at address + at. */
  storeVector(address: Value, value: Value, at = 0): void {
    this.emit([
      ...address.code,
      ...value.code,
      0xfd,
      0x0b,
      2,
      ...unsigned(at),
    ]);
  }

  /** Stores one 32-bit lane at address + at. */
  storeLane(address: Value, value: Value, index: number, at = 0): void {
    this.emit([
      ...address.code,
      ...value.code,
      0xfd,
      0x5a,
      2,
      ...unsigned(at),
      index,
    ]);
  }

  /** Stores one of 16 bytes at address + at. */
  storeByteLane(address: Value, value: Value, index: number, at = 0): void {
    this.emit([
      ...address.code,
      ...value.code,
      0xfd,
      0x58,
      0,
      ...unsigned(at),
      index,
    ]);
  }

  /**
   * a · b + c: fused where the target has relaxed SIMD, otherwise rounded
   * twice.
   */
  multiplyAdd(a: Value, b: Value, c: Value): Value {
    return this.module.target.relaxed
      ? {
        type: "v128",
        code: [...a.code, ...b.code, ...c.code, 0xfd, ...unsigned(0x105)],
      }
      : simd("f32x4.add", simd("f32x4.mul", a, b), c);
  }

  /** c − a · b, as above. */
  negativeMultiplyAdd(a: Value, b: Value, c: Value): Value {
    return this.module.target.relaxed
      ? {
        type: "v128",
        code: [...a.code, ...b.code, ...c.code, 0xfd, ...unsigned(0x106)],
      }
      : simd("f32x4.sub", c, simd("f32x4.mul", a, b));
  }

  /** The result of calling a function of this module. */
  call(callee: FunctionBuilder, ...args: Value[]): Value {
    return {
      type: callee.result ?? "i32",
      code: [...args.flatMap((x) => x.code), 0x10, ...unsigned(callee.index)],
    };
  }

  /** Calls a function without result. */
  run(callee: FunctionBuilder, ...args: Value[]): void {
    this.emit(this.call(callee, ...args).code);
  }

  /** Sum of the four f32 lanes, pairwise. */
  sumLanes(vector: Value): Value {
    const x = this.let(vector);
    const y = this.let(simd("f32x4.add", x, shuffle(x, x, [2, 3, 0, 1])));
    return lane("f32", simd("f32x4.add", y, shuffle(y, y, [1, 0, 3, 2])), 0);
  }

  /** The finished body, for the code section. */
  finish(): number[] {
    const type = (local: WasmType): number =>
      typeBytes[
        local === "ptr" ? (this.module.target.wide ? "i64" : "i32") : local
      ];
    const body = [
      ...unsigned(this.#locals.length),
      ...this.#locals.flatMap((local) => [1, type(local)]),
      ...this.#prologue,
      ...this.#code,
      0x0b,
    ];
    return [...unsigned(body.length), ...body];
  }
}

/** A module over an imported memory, being written. */
export class ModuleBuilder {
  /** What it is built for. */
  readonly target: Target;
  #functions: FunctionBuilder[] = [];
  #exports: { name: string; index: number }[] = [];

  /** Starts an empty module. */
  constructor(target: Target) {
    this.target = target;
  }

  /** Adds a function that other functions of the module can call. */
  internal(
    parameters: readonly WasmType[],
    result: WasmType | undefined,
    write: (f: FunctionBuilder, ...args: Local[]) => void,
  ): FunctionBuilder {
    return this.#add(parameters, result, false, write);
  }

  /** Adds a function that JavaScript calls; pointers are passed as numbers. */
  export(
    name: string,
    parameters: readonly WasmType[],
    result: WasmType | undefined,
    write: (f: FunctionBuilder, ...args: Local[]) => void,
  ): FunctionBuilder {
    const f = this.#add(parameters, result, true, write);
    this.#exports.push({ name, index: f.index });
    return f;
  }

  #add(
    parameters: readonly WasmType[],
    result: WasmType | undefined,
    exported: boolean,
    write: (f: FunctionBuilder, ...args: Local[]) => void,
  ): FunctionBuilder {
    const f = new FunctionBuilder(
      this,
      this.#functions.length,
      parameters,
      result,
      exported,
    );
    this.#functions.push(f);
    write(f, ...f.arguments);
    return f;
  }

  /** The bytes of the module; it imports its memory as `layerbraid.memory`. */
  build(): Uint8Array<ArrayBuffer> {
    const { wide, pages, shared } = this.target;
    const type = (t: WasmType): number =>
      typeBytes[t === "ptr" ? (wide ? "i64" : "i32") : t];
    const section = (id: number, items: number[][]): number[] => {
      const body = [...unsigned(items.length), ...items.flat()];
      return [id, ...unsigned(body.length), ...body];
    };
    const name = (text: string): number[] => {
      const bytes = [...new TextEncoder().encode(text)];
      return [...unsigned(bytes.length), ...bytes];
    };
    const limits = 1 + (shared ? 2 : 0) + (wide ? 4 : 0);
    return new Uint8Array([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(
        1,
        this.#functions.map((f) => [
          0x60,
          ...unsigned(f.parameters.length),
          ...f.parameters.map(type),
          ...(f.result === undefined ? [0] : [1, type(f.result)]),
        ]),
      ),
      ...section(2, [[
        ...name("layerbraid"),
        ...name("memory"),
        2,
        limits,
        ...unsigned(pages),
        ...unsigned(pages),
      ]]),
      ...section(3, this.#functions.map((f) => unsigned(f.index))),
      ...section(
        7,
        this.#exports.map((e) => [...name(e.name), 0, ...unsigned(e.index)]),
      ),
      ...section(10, this.#functions.map((f) => f.finish())),
    ]);
  }
}
