/**
 * Where the elementary functions of every device are tested, and how accurate
 * they have to be.
 *
 * @module
 */

import { binaryFunctions } from "../../tensor/reference/scalar_functions.ts";

const samples = 4096;

/** `samples` numbers from a to b, evenly. */
export function line(a: number, b: number): Float32Array {
  return Float32Array.from(
    { length: samples },
    (_, i) => a + (b - a) * i / (samples - 1),
  );
}

/** Magnitudes from 10^low to 10^high, evenly in the exponent. */
export function decades(low: number, high: number, sign = 1): Float32Array {
  return line(low, high).map((exponent) => sign * 10 ** exponent);
}

/** The smallest normal f32; smaller results may become 0. */
export const smallestNormal = 2 ** -126;

const edges = Float32Array.of(
  ...[0, -0, Infinity, -Infinity, NaN, 1e-45, -1e-45, 1e-39, -1e-39],
  ...[smallestNormal, 88.72283, 88.72284, -87.3, -104, 1, -1, 1e30, -1e30],
  ...[0.5, 1.5, 2.5, -0.5, -1.5, 3.4028234e38, -3.4028234e38],
);

const everywhere = [
  line(-1, 1),
  line(-10, 10),
  line(-105, 90),
  decades(-44, 38),
  decades(-44, 38, -1),
  edges,
];

// Cody-Waite reduction in f32 keeps its accuracy up to 1e5. Near zeros of sine
// the relative error of a result of size 1e-3 can't be bounded by f32 parts.
const circle = [line(-1, 1), line(-10, 10), line(-1e5, 1e5)];

/** Where a function is tested, and how accurate it has to be. */
export interface MathCase {
  readonly inputs: readonly Float32Array[];
  /** Units: polynomial error plus a few roundings of 6e-8. */
  readonly relative: number;
  readonly absolute?: number;
}

/** Elementary functions, by the names of their operations. */
export const mathCases: Record<string, MathCase> = {
  // Results up to 2^-125, twice the smallest normal, may become 0.
  exp: { inputs: everywhere, relative: 1.5e-7, absolute: 2.4e-38 },
  expm1: { inputs: everywhere, relative: 2e-7 },
  log: { inputs: everywhere, relative: 1.5e-7 },
  log1p: {
    inputs: [...everywhere, line(-1, -0.9), decades(-44, 0, -1)],
    relative: 1.5e-7,
  },
  sqrt: { inputs: everywhere, relative: 1e-7 },
  rsqrt: { inputs: everywhere, relative: 2e-7 },
  tanh: { inputs: everywhere, relative: 4e-7 },
  sigmoid: { inputs: everywhere, relative: 3e-7 },
  softplus: { inputs: everywhere, relative: 2.5e-7, absolute: 2.4e-38 },
  erf: { inputs: everywhere, relative: 4e-7 },
  sin: { inputs: circle, relative: 2e-7, absolute: 1.2e-7 },
  cos: { inputs: circle, relative: 2e-7, absolute: 1.2e-7 },
  sign: { inputs: everywhere, relative: 0 },
  floor: { inputs: everywhere, relative: 0 },
  round: { inputs: everywhere, relative: 0 },
  abs: { inputs: everywhere, relative: 0 },
  neg: { inputs: everywhere, relative: 0 },
};

/** C, unlike JavaScript, says that 1 to any power and −1 to ±∞ are 1. */
export function powerInC(x: number, y: number): number {
  return x === 1 || (x === -1 && Math.abs(y) === Infinity)
    ? 1
    : binaryFunctions.pow(x, y);
}

function powerEdges(): [Float32Array, Float32Array] {
  const bases = [0, -0, 1, -1, 2, -2, 0.5, -3, Infinity, -Infinity, NaN, 1e-40];
  const powers = [0, -0, 1, -1, 2, 3, -3, 0.5, -0.5, Infinity, -Infinity, NaN];
  const count = powers.length;
  const pairs = bases.flatMap((x) => powers.map((y) => [x, y]));
  return [
    Float32Array.from({ length: bases.length * count }, (_, i) => pairs[i][0]),
    Float32Array.from({ length: bases.length * count }, (_, i) => pairs[i][1]),
  ];
}

/** Bases and exponents. */
export function powerCases(): [Float32Array, Float32Array][] {
  const wide = decades(-30, 30);
  const narrow = line(-20, 20);
  // Powers beyond f32's range would compare infinities with themselves.
  const modest = narrow.map((y, i) => y / Math.max(1, Math.abs(wide[i]) / 20));
  return [
    powerEdges(),
    [wide, narrow],
    [line(0.1, 10), modest],
    [
      line(-5, 5).map((x) => Math.round(x)),
      line(-9, 9).map((y) => Math.round(y)),
    ],
  ];
}

/** Constant exponents, some of which have a short form. */
export const constantExponents = [
  ...[0, 1, 2, 3, 4, 0.5, -0.5, -1, -2, 1.5, -3],
];
