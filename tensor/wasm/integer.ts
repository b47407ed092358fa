/**
 * Arithmetic of i32 values, as kernels count with it.
 *
 * @module
 */

import { choose, i32, scalar, type Value } from "./assembler.ts";

const lift = (x: Value | number): Value => typeof x === "number" ? i32(x) : x;

/** a + b */
export function plus(a: Value, b: Value | number): Value {
  return scalar("i32.add", a, lift(b));
}

/** a − b */
export function minus(a: Value, b: Value | number): Value {
  return scalar("i32.sub", a, lift(b));
}

/** a · b */
export function product(a: Value, b: Value | number): Value {
  return scalar("i32.mul", a, lift(b));
}

/** ⌊a / b⌋ of non-negative numbers. */
export function quotient(a: Value, b: Value | number): Value {
  return scalar("i32.div_u", a, lift(b));
}

/** a mod b of non-negative numbers. */
export function remainder(a: Value, b: Value | number): Value {
  return scalar("i32.rem_u", a, lift(b));
}

/** ⌈a / b⌉ of non-negative numbers. */
export function ceilingDivide(a: Value, b: Value | number): Value {
  return quotient(plus(a, minus(lift(b), 1)), b);
}

/** The smaller one. */
export function minimum(a: Value, b: Value | number): Value {
  return choose(scalar("i32.lt_s", a, lift(b)), a, lift(b));
}

/** a ≥ b */
export function atLeast(a: Value, b: Value | number): Value {
  return scalar("i32.ge_s", a, lift(b));
}

/** The bits of both. */
export function bitAnd(a: Value, b: Value | number): Value {
  return scalar("i32.and", a, lift(b));
}

/** The bits of either. */
export function bitOr(a: Value, b: Value | number): Value {
  return scalar("i32.or", a, lift(b));
}

/** a = b */
export function isEqual(a: Value, b: Value | number): Value {
  return scalar("i32.eq", a, lift(b));
}
