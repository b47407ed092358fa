/**
 * Records of numbers in memory, for kernels that want to know more than suits
 * an argument list.
 *
 * A record is an array of f64, one for every field. Kernels read it when a
 * chunk begins, field by field, into locals.
 *
 * @module
 */

import {
  f32,
  type FunctionBuilder,
  type Local,
  scalar,
  type Value,
} from "./assembler.ts";

/** Where each field of a record lies, in bytes. */
export type RecordLayout<Name extends string> = ReadonlyMap<Name, number>;

/** A record with these fields, in this order. */
export function recordLayout<Name extends string>(
  names: readonly Name[],
): RecordLayout<Name> {
  return new Map(names.map((name, i) => [name, 8 * i]));
}

/** Reads fields of a record into locals of a function. */
export interface RecordReader<Name extends string> {
  /** A non-negative number, as an i32. */
  integer(name: Name): Local;
  /** As an f32. */
  real(name: Name): Local;
  /** An address, or 0. */
  pointer(name: Name): Local;
  /** A stride in elements of `bytes` bytes (default 4), in bytes. */
  stride(name: Name, bytes?: number): Local;
  /** Whether it is 1, an i32. */
  isOne(name: Name): Value;
}

/** A pointer that is stored as an f64. */
export function storedPointer(
  f: FunctionBuilder,
  address: Value,
  at: number,
): Value {
  const value = f.load("f64", address, at);
  return f.module.target.wide
    ? { ...scalar("i64.trunc_f64_u", value), type: "ptr" }
    : f.pointer(scalar("i32.trunc_f64_u", value));
}

/** A reader of the record at the address `record`. */
export function recordReader<Name extends string>(
  f: FunctionBuilder,
  layout: RecordLayout<Name>,
  record: Value,
): RecordReader<Name> {
  const load = (name: Name): Value => f.load("f64", record, layout.get(name));
  return {
    integer: (name) => f.let(scalar("i32.trunc_f64_u", load(name))),
    real: (name) => f.let(scalar("f32.demote_f64", load(name))),
    pointer: (name) => f.let(storedPointer(f, record, layout.get(name)!)),
    stride: (name, bytes = 4) => f.let(f.times(f.truncated(load(name)), bytes)),
    isOne: (name) =>
      scalar("f32.eq", scalar("f32.demote_f64", load(name)), f32(1)),
  };
}
