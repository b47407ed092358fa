/**
 * The primitive scalar functions of expressions, in double precision. Truth
 * values are 0 and 1.
 *
 * @module
 */

import type { BinaryOp, UnaryOp } from "../expression.ts";

/**
 * Error function, to about 10⁻¹⁵.
 *
 * Up to 1.5 the series erf x = 2/√π e^(−x²) Σ 2ⁿ x²ⁿ⁺¹ / (1·3·…·(2n+1)), whose
 * terms have one sign (Abramowitz & Stegun 7.1.6); beyond, one minus the
 * continued fraction √π e^(x²) erfc x = 1/(x + ½/(x + 1/(x + 3⁄2/(x + …))))
 * (7.1.14). From 6 on it is 1 in double precision.
 */
export function erf(x: number): number {
  if (x < 0) return -erf(-x);
  if (x >= 6) return 1;
  if (x > 1.5) {
    let fraction = x;
    for (let n = 100; n >= 1; n--) fraction = x + n / 2 / fraction;
    return 1 - Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
  }
  let term = x;
  let sum = x;
  for (let n = 1; term > sum * 2 ** -60; n++) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

/** 1 / (1 + e⁻ˣ), relatively accurate for negative x too. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  return Math.exp(x) / (1 + Math.exp(x));
}

/** log(1 + eˣ) */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** Nearest integer, halves to even. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1;
  return rest < 0.5 ? below : Math.ceil(x);
}

/** Toward zero, saturating at the ends of 32-bit integers; NaN becomes 0. */
export function toInt(x: number): number {
  if (Number.isNaN(x)) return 0;
  return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(x)));
}

/** Functions of one number. */
export const unaryFunctions: Readonly<Record<UnaryOp, (x: number) => number>> =
  {
    neg: (x) => -x,
    abs: Math.abs,
    sign: Math.sign,
    floor: Math.floor,
    round: roundHalfEven,
    exp: Math.exp,
    expm1: Math.expm1,
    log: Math.log,
    log1p: Math.log1p,
    sqrt: Math.sqrt,
    rsqrt: (x) => 1 / Math.sqrt(x),
    tanh: Math.tanh,
    sigmoid,
    softplus,
    erf,
    sin: Math.sin,
    cos: Math.cos,
    not: (x) => 1 - x,
    toFloat: (x) => x,
    toInt,
    toBool: (x) => Number(x !== 0),
  };

/** Functions of two numbers; `Math.max` and `Math.min` propagate NaN. */
export const binaryFunctions: Readonly<
  Record<BinaryOp, (a: number, b: number) => number>
> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: Math.pow,
  max: Math.max,
  min: Math.min,
  equal: (a, b) => Number(a === b),
  less: (a, b) => Number(a < b),
  lessEqual: (a, b) => Number(a <= b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
};

/**
 * Σ term(i) for i < count, as if in twice the precision (Neumaier, 1974): a
 * long sum keeps its last digits whatever the order.
 */
export function sumOf(count: number, term: (index: number) => number): number {
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < count; i++) {
    const x = term(i);
    const next = sum + x;
    lost += Math.abs(sum) >= Math.abs(x) ? sum - next + x : x - next + sum;
    sum = next;
  }
  return Number.isFinite(sum) ? sum + lost : sum;
}
