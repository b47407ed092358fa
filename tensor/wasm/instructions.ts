/**
 * WebAssembly instructions as values: trees of instructions, emitted where they
 * are used.
 *
 * @module
 */

/** A type of WebAssembly values; `ptr` is i32 or i64, as the memory wants. */
export type WasmType = "i32" | "i64" | "f32" | "f64" | "v128" | "ptr";

/** Something that leaves one value on the stack when emitted. */
export interface Value {
  /** Type of the value. */
  readonly type: WasmType;
  /** Bytes of instructions. */
  readonly code: readonly number[];
}

/** A local variable of a function; as a `Value`, it reads it. */
export interface Local extends Value {
  /** Index within the function. */
  readonly index: number;
}

/** Encodings of types. */
export const typeBytes: Record<Exclude<WasmType, "ptr">, number> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** Unsigned LEB128 of a non-negative integer below 2⁵³. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const low = value % 128;
    value = Math.floor(value / 128);
    bytes.push(value > 0 ? low + 128 : low);
  } while (value > 0);
  return bytes;
}

/** Signed LEB128 of an integer of magnitude below 2⁵³. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  for (;;) {
    const low = ((value % 128) + 128) % 128;
    value = Math.floor(value / 128);
    const done = (value === 0 && low < 64) || (value === -1 && low >= 64);
    bytes.push(done ? low : low + 128);
    if (done) return bytes;
  }
}

function bytesOfFloat(value: number, wide: boolean): number[] {
  const array = wide ? new Float64Array([value]) : new Float32Array([value]);
  return [...new Uint8Array(array.buffer)];
}

/** Opcodes with the 0xfd prefix (SIMD) by name: operands v128 × n → v128. */
const simdOpcodes = {
  "i8x16.swizzle": 0x0e,
  "i32x4.eq": 0x37,
  "i32x4.ne": 0x38,
  "i32x4.lt_s": 0x39,
  "i32x4.gt_s": 0x3b,
  "i32x4.le_s": 0x3d,
  "i32x4.ge_s": 0x3f,
  "f32x4.eq": 0x41,
  "f32x4.ne": 0x42,
  "f32x4.lt": 0x43,
  "f32x4.gt": 0x44,
  "f32x4.le": 0x45,
  "f32x4.ge": 0x46,
  "v128.not": 0x4d,
  "v128.and": 0x4e,
  "v128.andnot": 0x4f,
  "v128.or": 0x50,
  "v128.xor": 0x51,
  "v128.bitselect": 0x52,
  "f32x4.ceil": 0x67,
  "f32x4.floor": 0x68,
  "f32x4.trunc": 0x69,
  "f32x4.nearest": 0x6a,
  "i8x16.narrow_i16x8_u": 0x66,
  "i16x8.narrow_i32x4_u": 0x86,
  "i16x8.extend_low_i8x16_u": 0x89,
  "i32x4.abs": 0xa0,
  "i32x4.neg": 0xa1,
  "i32x4.extend_low_i16x8_u": 0xa9,
  "i32x4.add": 0xae,
  "i32x4.sub": 0xb1,
  "i32x4.mul": 0xb5,
  "i32x4.min_s": 0xb6,
  "i32x4.max_s": 0xb8,
  "i64x2.add": 0xce,
  "i64x2.mul": 0xd5,
  "i64x2.extmul_low_i32x4_u": 0xde,
  "i64x2.extmul_high_i32x4_u": 0xdf,
  "f32x4.abs": 0xe0,
  "f32x4.neg": 0xe1,
  "f32x4.sqrt": 0xe3,
  "f32x4.add": 0xe4,
  "f32x4.sub": 0xe5,
  "f32x4.mul": 0xe6,
  "f32x4.div": 0xe7,
  "f32x4.min": 0xe8,
  "f32x4.max": 0xe9,
  "f32x4.pmin": 0xea,
  "f32x4.pmax": 0xeb,
  "i32x4.trunc_sat_f32x4_s": 0xf8,
  "f32x4.convert_i32x4_s": 0xfa,
  "f32x4.convert_i32x4_u": 0xfb,
  "f32x4.demote_f64x2_zero": 0x5e,
  "f64x2.promote_low_f32x4": 0x5f,
  "f64x2.nearest": 0x94,
  "f64x2.abs": 0xec,
  "f64x2.add": 0xf0,
  "f64x2.sub": 0xf1,
  "f64x2.mul": 0xf2,
  "f64x2.div": 0xf3,
  "f64x2.pmin": 0xf6,
  "f64x2.pmax": 0xf7,
} as const;

/** Name of a SIMD instruction without immediates. */
export type SimdName = keyof typeof simdOpcodes;

/** A SIMD instruction on vectors. */
export function simd(name: SimdName, ...operands: Value[]): Value {
  return instruction("v128", [0xfd, ...unsigned(simdOpcodes[name])], operands);
}

const shifts = {
  "i32x4.shl": 0xab,
  "i32x4.shr_s": 0xac,
  "i32x4.shr_u": 0xad,
  "i64x2.shl": 0xcb,
  "i64x2.shr_u": 0xcd,
} as const;

/** Shifts every lane by an i32 number of bits. */
export function simdShift(
  name: keyof typeof shifts,
  x: Value,
  bits: Value,
): Value {
  return instruction("v128", [0xfd, ...unsigned(shifts[name])], [x, bits]);
}

const tests = {
  "v128.any_true": 0x53,
  "i32x4.all_true": 0xa3,
  "i32x4.bitmask": 0xa4,
} as const;

/** An i32 that tells something about all lanes. */
export function simdTest(name: keyof typeof tests, x: Value): Value {
  return instruction("i32", [0xfd, ...unsigned(tests[name])], [x]);
}

const splats = { f32: 0x13, i32: 0x11, i64: 0x12, f64: 0x14 } as const;

/** A vector with the same scalar in all lanes. */
export function splat(x: Value): Value {
  const opcode = splats[x.type as keyof typeof splats];
  if (opcode === undefined) throw new TypeError(`can't splat ${x.type}`);
  return instruction("v128", [0xfd, opcode], [x]);
}

/** One of four lanes as a scalar. */
export function lane(type: "f32" | "i32", x: Value, index: number): Value {
  return instruction(type, [
    ...x.code,
    0xfd,
    type === "f32" ? 0x1f : 0x1b,
    index,
  ]);
}

/** Lanes 0–3 of `a` and 4–7 of `b`, picked by four 32-bit lane numbers. */
export function shuffle(a: Value, b: Value, lanes: readonly number[]): Value {
  const bytes = lanes.flatMap((i) => [4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3]);
  return instruction("v128", [...a.code, ...b.code, 0xfd, 0x0d, ...bytes]);
}

/** A vector constant; keep it in a local, loops rebuild it on every use. */
export function vectorOf(lanes: readonly number[], type: "f32" | "i32"): Value {
  const array = type === "f32"
    ? new Float32Array(lanes)
    : new Int32Array(lanes);
  return instruction("v128", [
    0xfd,
    0x0c,
    ...new Uint8Array(array.buffer),
  ]);
}

/** Opcodes of scalar instructions, with the types of their results. */
export const scalarOpcodes = {
  "i32.eqz": [0x45, "i32"],
  "i32.eq": [0x46, "i32"],
  "i32.ne": [0x47, "i32"],
  "i32.lt_s": [0x48, "i32"],
  "i32.lt_u": [0x49, "i32"],
  "i32.gt_s": [0x4a, "i32"],
  "i32.gt_u": [0x4b, "i32"],
  "i32.le_s": [0x4c, "i32"],
  "i32.ge_s": [0x4e, "i32"],
  "i32.ge_u": [0x4f, "i32"],
  "i64.eqz": [0x50, "i32"],
  "i64.eq": [0x51, "i32"],
  "i64.ne": [0x52, "i32"],
  "i64.lt_s": [0x53, "i32"],
  "i64.lt_u": [0x54, "i32"],
  "f32.eq": [0x5b, "i32"],
  "f32.ne": [0x5c, "i32"],
  "f32.lt": [0x5d, "i32"],
  "f32.gt": [0x5e, "i32"],
  "f32.le": [0x5f, "i32"],
  "f32.ge": [0x60, "i32"],
  "i32.add": [0x6a, "i32"],
  "i32.sub": [0x6b, "i32"],
  "i32.mul": [0x6c, "i32"],
  "i32.div_s": [0x6d, "i32"],
  "i32.div_u": [0x6e, "i32"],
  "i32.rem_s": [0x6f, "i32"],
  "i32.rem_u": [0x70, "i32"],
  "i32.and": [0x71, "i32"],
  "i32.or": [0x72, "i32"],
  "i32.xor": [0x73, "i32"],
  "i32.shl": [0x74, "i32"],
  "i32.shr_s": [0x75, "i32"],
  "i32.shr_u": [0x76, "i32"],
  "i64.add": [0x7c, "i64"],
  "i64.sub": [0x7d, "i64"],
  "i64.mul": [0x7e, "i64"],
  "i64.div_u": [0x80, "i64"],
  "i64.rem_u": [0x82, "i64"],
  "i64.and": [0x83, "i64"],
  "i64.or": [0x84, "i64"],
  "i64.shl": [0x86, "i64"],
  "i64.shr_u": [0x88, "i64"],
  "f32.abs": [0x8b, "f32"],
  "f32.neg": [0x8c, "f32"],
  "f32.floor": [0x8e, "f32"],
  "f32.sqrt": [0x91, "f32"],
  "f32.add": [0x92, "f32"],
  "f32.sub": [0x93, "f32"],
  "f32.mul": [0x94, "f32"],
  "f32.div": [0x95, "f32"],
  "f32.min": [0x96, "f32"],
  "f32.max": [0x97, "f32"],
  "f64.add": [0xa0, "f64"],
  "f64.sub": [0xa1, "f64"],
  "f64.mul": [0xa2, "f64"],
  "f64.div": [0xa3, "f64"],
  "i32.wrap_i64": [0xa7, "i32"],
  "i32.trunc_f64_s": [0xaa, "i32"],
  "i32.trunc_f64_u": [0xab, "i32"],
  "i64.extend_i32_s": [0xac, "i64"],
  "i64.extend_i32_u": [0xad, "i64"],
  "i64.trunc_f64_s": [0xb0, "i64"],
  "i64.trunc_f64_u": [0xb1, "i64"],
  "f32.convert_i32_s": [0xb2, "f32"],
  "f32.convert_i32_u": [0xb3, "f32"],
  "f32.demote_f64": [0xb6, "f32"],
  "f64.convert_i32_s": [0xb7, "f64"],
  "f64.promote_f32": [0xbb, "f64"],
  "i32.reinterpret_f32": [0xbc, "i32"],
  "f32.reinterpret_i32": [0xbe, "f32"],
} as const;

/** Name of a scalar instruction without immediates. */
export type ScalarName = keyof typeof scalarOpcodes;

/** A scalar instruction. */
export function scalar(name: ScalarName, ...operands: Value[]): Value {
  const [opcode, type] = scalarOpcodes[name];
  return instruction(type, [opcode], operands);
}

function instruction(
  type: WasmType,
  bytes: number[],
  operands: readonly Value[] = [],
): Value {
  return { type, code: [...operands.flatMap((x) => x.code), ...bytes] };
}

/** An i32 constant. */
export function i32(value: number): Value {
  return instruction("i32", [0x41, ...signed(value | 0)]);
}

/** An f32 constant. */
export function f32(value: number): Value {
  return instruction("f32", [0x43, ...bytesOfFloat(value, false)]);
}

/** An f64 constant. */
export function f64(value: number): Value {
  return instruction("f64", [0x44, ...bytesOfFloat(value, true)]);
}

/** `condition ? a : b`, both evaluated; condition is an i32. */
export function choose(condition: Value, a: Value, b: Value): Value {
  return {
    type: a.type,
    code: a.type === "v128"
      ? [...a.code, ...b.code, ...condition.code, 0x1c, 1, typeBytes.v128]
      : [...a.code, ...b.code, ...condition.code, 0x1b],
  };
}
