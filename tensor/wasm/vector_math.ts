/**
 * Elementary functions of four f32 lanes, as inline WebAssembly.
 *
 * Each function emits instructions into a kernel and returns the result. All
 * constants live in locals that are set when the kernel starts, and everything
 * but a few comparisons is made of instructions that V8 can pair into 256-bit
 * ones. Polynomials are those of `approximations.ts`; the bounds stated are
 * their approximation errors, to which the rounding of f32 adds 1 to 2 units in the
 * last place (6e-8 each). Results too small for a normal f32 may become 0.
 *
 * @example
 * ```ts
 * import { ModuleBuilder } from "./assembler.ts";
 * import { exp } from "./vector_math.ts";
 *
 * const target = { wide: false, pages: 1, shared: false, relaxed: false };
 * const module = new ModuleBuilder(target);
 * module.export("exp", ["ptr"], undefined, (f, x) => {
 *   f.storeVector(x, exp(f, f.loadVector(x)));
 * });
 * console.log(WebAssembly.validate(module.build())); // true
 * ```
 *
 * @module
 */

import * as fit from "../approximations.ts";
import {
  type FunctionBuilder,
  i32,
  type Local,
  shuffle,
  simd,
  simdShift,
  type Value,
} from "./assembler.ts";

/** 1.5 · 2²³: adding it rounds to an integer, which the low bits then hold. */
const roundingShift = 12582912;

function add(a: Value, b: Value): Value {
  return simd("f32x4.add", a, b);
}

function sub(a: Value, b: Value): Value {
  return simd("f32x4.sub", a, b);
}

function mul(a: Value, b: Value): Value {
  return simd("f32x4.mul", a, b);
}

/** `mask ? a : b` for every lane; the mask has all or no bits set. */
export function selectLanes(mask: Value, a: Value, b: Value): Value {
  return simd("v128.bitselect", a, b, mask);
}

/**
 * c₀ + c₁x + c₂x² + …, by Horner's rule. Where the target has no fused
 * multiply-add every step rounds twice.
 */
export function polynomial(
  f: FunctionBuilder,
  x: Local,
  coefficients: readonly number[],
): Local {
  const last = coefficients.length - 1;
  let result = f.constant(coefficients[last]);
  for (let power = last - 1; power >= 0; power--) {
    const coefficient = f.constant(coefficients[power]);
    result = f.let(f.multiplyAdd(result, x, coefficient));
  }
  return result;
}

/** |x| with the sign of `sign`; x ≥ 0. */
function withSign(f: FunctionBuilder, x: Value, sign: Value): Value {
  return simd(
    "v128.or",
    x,
    simd("v128.and", sign, f.constant(-0x80000000, "i32")),
  );
}

/**
 * eˣ = 2ᵏ⁻¹ · 2eʳ with k = round(x / ln 2): half of 2ᵏ is finite wherever the
 * result is, and the factor 2 sits in the coefficients. Results below 2⁻¹²⁵
 * become 0. Polynomial: relative error 3.2e-9.
 */
export function exp(f: FunctionBuilder, x: Value): Value {
  const low = simd("f32x4.pmax", x, f.constant(-87.5));
  const clamped = f.let(simd("f32x4.pmin", low, f.constant(89)));
  // The low bits hold k + 126, which shifted are the float 2ᵏ⁻¹.
  const magic = f.constant(roundingShift + 126);
  const shifted = f.let(f.multiplyAdd(clamped, f.constant(Math.LOG2E), magic));
  const k = f.let(sub(shifted, magic));
  const power = simdShift("i32x4.shl", shifted, i32(23));
  const high = f.negativeMultiplyAdd(k, f.constant(fit.ln2High), clamped);
  const r = f.let(f.negativeMultiplyAdd(k, f.constant(fit.ln2Low), high));
  const series = polynomial(f, r, fit.twiceExponential);
  return f.let(mul(series, power));
}

/**
 * eˣ − 1 = 2ᵏ (eʳ − 1) + 2ᵏ − 1 with |r| ≤ ln 2 / 2, all at half size so that
 * 2ᵏ stays finite. Relative error of eʳ − 1: 4.4e-10.
 */
export function expm1(f: FunctionBuilder, x: Value): Value {
  const low = simd("f32x4.pmax", x, f.constant(-30));
  const clamped = f.let(simd("f32x4.pmin", low, f.constant(89)));
  const scaled = mul(clamped, f.constant(Math.LOG2E));
  // The low bits hold k + 126, the exponent of half of 2ᵏ.
  const shifted = f.let(add(scaled, f.constant(roundingShift + 126)));
  const k = f.let(sub(shifted, f.constant(roundingShift + 126)));
  const half = f.let(simdShift("i32x4.shl", shifted, i32(23)));
  const high = f.negativeMultiplyAdd(k, f.constant(fit.ln2High), clamped);
  const r = f.let(f.negativeMultiplyAdd(k, f.constant(fit.ln2Low), high));
  const series = polynomial(f, r, fit.exponentialRest);
  const square = f.let(mul(r, r));
  const small = f.multiplyAdd(series, square, r);
  const result = f.let(
    f.multiplyAdd(small, half, sub(half, f.constant(0.5))),
  );
  return f.let(add(result, result));
}

/** log(u) + correction, for normal positive u; see `log`. */
function logarithm(
  f: FunctionBuilder,
  u: Value,
  exponentOffset: Value | undefined,
  correction: Value | undefined,
): Local {
  // u = 2ᵉ m with m in [√½, √2): subtracting the bits of √½ makes e the
  // (signed) exponent field.
  const bits = f.let(u);
  const e = f.let(
    simdShift(
      "i32x4.shr_s",
      simd("i32x4.sub", bits, f.constant(0x3f3504f3, "i32")),
      i32(23),
    ),
  );
  const m = simd("i32x4.sub", bits, simdShift("i32x4.shl", e, i32(23)));
  const z = f.let(sub(m, f.constant(1)));
  const converted = simd("f32x4.convert_i32x4_s", e);
  const exponent = f.let(
    exponentOffset === undefined ? converted : sub(converted, exponentOffset),
  );
  const series = polynomial(f, z, fit.logarithmRest);
  const square = f.let(mul(z, z));
  const cube = mul(mul(square, z), series);
  const start = correction === undefined ? cube : add(cube, correction);
  const lower = f.multiplyAdd(exponent, f.constant(fit.ln2Low), start);
  const tail = f.negativeMultiplyAdd(square, f.constant(0.5), lower);
  const sum = add(z, tail);
  return f.let(f.multiplyAdd(exponent, f.constant(fit.ln2High), sum));
}

/** a / b, kept within ±1. */
function boundedRatio(f: FunctionBuilder, a: Value, b: Value): Value {
  const ratio = simd("f32x4.div", a, b);
  const low = simd("f32x4.pmax", ratio, f.constant(-1));
  return f.let(simd("f32x4.pmin", low, f.constant(1)));
}

/** Where x is not a positive finite number: log 0 = −∞, log ∞ = ∞, NaN. */
function logarithmAtEdges(
  f: FunctionBuilder,
  u: Local,
  result: Value,
): Value {
  const finite = simd("f32x4.lt", u, f.constant(Infinity));
  const edge = selectLanes(
    simd("f32x4.eq", u, f.constant(0)),
    f.constant(-Infinity),
    f.constant(NaN),
  );
  return f.let(
    selectLanes(
      simd("f32x4.gt", u, f.constant(0)),
      selectLanes(finite, result, u),
      edge,
    ),
  );
}

/**
 * Natural logarithm: e ln 2 + log(1 + z) with 1 + z in [√½, √2), subnormal x
 * included. Relative error of log(1 + z): 5.9e-9.
 */
export function log(f: FunctionBuilder, x: Value): Value {
  const given = f.let(x);
  const tiny = f.let(
    simd("f32x4.lt", given, f.constant(1.1754943508222875e-38)),
  );
  const scaled = selectLanes(tiny, mul(given, f.constant(2 ** 24)), given);
  const offset = simd("v128.and", tiny, f.constant(24));
  const result = logarithm(f, scaled, offset, undefined);
  return logarithmAtEdges(f, given, result);
}

/**
 * log(1 + x), with the rounding error of u = 1 + x put back: log u + δ / u.
 */
export function log1p(f: FunctionBuilder, x: Value): Value {
  const given = f.let(x);
  const one = f.constant(1);
  const u = f.let(add(given, one));
  const lost = sub(given, sub(u, one));
  const correction = f.let(simd("f32x4.div", lost, u));
  const result = logarithm(f, u, undefined, correction);
  return logarithmAtEdges(f, u, result);
}

/** 1 / √x */
export function rsqrt(f: FunctionBuilder, x: Value): Value {
  return simd("f32x4.div", f.constant(1), simd("f32x4.sqrt", x));
}

/**
 * tanh x = x P(x²) / Q(x²) for |x| ≤ 9, where it rounds to ±1.
 * Relative error 2.2e-8.
 */
export function tanh(f: FunctionBuilder, x: Value): Value {
  const low = simd("f32x4.pmax", x, f.constant(-9));
  const clamped = f.let(simd("f32x4.pmin", low, f.constant(9)));
  const square = f.let(mul(clamped, clamped));
  const numerator = polynomial(f, square, fit.tanhNumerator);
  const denominator = polynomial(f, square, fit.tanhDenominator);
  return boundedRatio(f, mul(clamped, numerator), denominator);
}

/** 1 / (1 + e⁻ˣ) */
export function sigmoid(f: FunctionBuilder, x: Value): Value {
  const one = f.constant(1);
  const power = exp(f, simd("f32x4.neg", x));
  return f.let(simd("f32x4.div", one, add(power, one)));
}

/** log(1 + eˣ) = max(x, 0) + log(1 + e⁻|ˣ|) */
export function softplus(f: FunctionBuilder, x: Value): Value {
  const given = f.let(x);
  const power = exp(f, simd("f32x4.neg", simd("f32x4.abs", given)));
  const tail = log1p(f, power);
  return f.let(add(simd("f32x4.pmax", given, f.constant(0)), tail));
}

/**
 * erf x = x P(x²) / Q(x²) for |x| ≤ 3.93, where it rounds to ±1.
 * Relative error 2e-8.
 */
export function erf(f: FunctionBuilder, x: Value): Value {
  const low = simd("f32x4.pmax", x, f.constant(-3.93));
  const clamped = f.let(simd("f32x4.pmin", low, f.constant(3.93)));
  const square = f.let(mul(clamped, clamped));
  const numerator = polynomial(f, square, fit.erfNumerator);
  const denominator = polynomial(f, square, fit.erfDenominator);
  return boundedRatio(f, mul(clamped, numerator), denominator);
}

/** sin(x + quarters · π/2), by symmetry from [−π/4, π/4]. */
function sine(f: FunctionBuilder, x: Value, quarters: number): Value {
  const given = f.let(x);
  const scaled = mul(given, f.constant(2 / Math.PI));
  const shifted = f.let(add(scaled, f.constant(roundingShift)));
  const k = f.let(sub(shifted, f.constant(roundingShift)));
  let reduced = given;
  for (const part of fit.halfPiParts) {
    reduced = f.let(f.negativeMultiplyAdd(k, f.constant(part), reduced));
  }
  const low = simd("f32x4.pmax", reduced, f.constant(-1));
  const r = f.let(simd("f32x4.pmin", low, f.constant(1)));
  const square = f.let(mul(r, r));
  const odd = polynomial(f, square, fit.sineRest);
  const even = polynomial(f, square, fit.cosineRest);
  const sinOfR = f.multiplyAdd(mul(odd, square), r, r);
  const half = f.negativeMultiplyAdd(square, f.constant(0.5), f.constant(1));
  const cosOfR = f.multiplyAdd(mul(even, square), square, half);
  const quadrant = f.let(
    quarters === 0
      ? shifted
      : simd("i32x4.add", shifted, f.constant(quarters, "i32")),
  );
  const one = f.constant(1, "i32");
  const isOdd = simd("i32x4.eq", simd("v128.and", quadrant, one), one);
  const sign = simdShift(
    "i32x4.shl",
    simd("v128.and", quadrant, f.constant(2, "i32")),
    i32(30),
  );
  const magnitude = selectLanes(isOdd, cosOfR, sinOfR);
  return f.let(simd("v128.xor", magnitude, sign));
}

/** Sine of radians. Polynomials: relative error 1.7e-10. */
export function sin(f: FunctionBuilder, x: Value): Value {
  return sine(f, x, 0);
}

/** Cosine of radians. */
export function cos(f: FunctionBuilder, x: Value): Value {
  return sine(f, x, 1);
}

/** −1, 0 or 1; NaN for NaN. */
export function sign(f: FunctionBuilder, x: Value): Value {
  const given = f.let(x);
  const zero = f.constant(0);
  const up = simd("f32x4.gt", given, zero);
  const down = simd("f32x4.lt", given, zero);
  const ones = simd(
    "v128.or",
    simd("v128.and", up, f.constant(1)),
    simd("v128.and", down, f.constant(-1)),
  );
  // All bits set, where x ≠ x, are a NaN.
  return f.let(simd("v128.or", ones, simd("f32x4.ne", given, given)));
}

/** y · log₂ m for two lanes, in f64: m in [√½, √2), plus the exponents e. */
function timesLogarithm(
  f: FunctionBuilder,
  m: Value,
  e: Value,
  y: Value,
): Value {
  const wideM = f.let(simd("f64x2.promote_low_f32x4", m));
  const one = f.constant(1, "f64");
  const s = f.let(simd(
    "f64x2.div",
    simd("f64x2.sub", wideM, one),
    simd("f64x2.add", wideM, one),
  ));
  const square = f.let(simd("f64x2.mul", s, s));
  // log₂ m = s · series(s²) with s = (m − 1) / (m + 1): relative error 4e-12.
  let series: Value = f.constant(0.3407276680442148, "f64");
  for (
    const coefficient of [
      0.41167284993696773,
      0.5770835827476448,
      0.9617966733544518,
      2.8853900817900704,
    ]
  ) {
    const scaled = simd("f64x2.mul", series, square);
    series = simd("f64x2.add", scaled, f.constant(coefficient, "f64"));
  }
  const logarithm = simd(
    "f64x2.add",
    simd("f64x2.promote_low_f32x4", e),
    simd("f64x2.mul", s, series),
  );
  return f.let(
    simd("f64x2.mul", simd("f64x2.promote_low_f32x4", y), logarithm),
  );
}

/**
 * xʸ = ± 2^(y log₂|x|) with the logarithm in f64, which keeps the relative
 * error near 2e-7 for every exponent. Edge cases are those of C's `pow`.
 */
export function pow(f: FunctionBuilder, x: Value, y: Value): Value {
  const base = f.let(x);
  const exponent = f.let(y);
  const one = f.constant(1);
  const zero = f.constant(0);
  const infinity = f.constant(Infinity);
  const magnitude = f.let(simd("f32x4.abs", base));

  const tiny = f.let(
    simd("f32x4.lt", magnitude, f.constant(1.1754943508222875e-38)),
  );
  const bits = f.let(
    selectLanes(tiny, mul(magnitude, f.constant(2 ** 24)), magnitude),
  );
  const e = f.let(simdShift(
    "i32x4.shr_s",
    simd("i32x4.sub", bits, f.constant(0x3f3504f3, "i32")),
    i32(23),
  ));
  const m = f.let(
    simd("i32x4.sub", bits, simdShift("i32x4.shl", e, i32(23))),
  );
  const floatE = f.let(sub(
    simd("f32x4.convert_i32x4_s", e),
    simd("v128.and", tiny, f.constant(24)),
  ));
  const upper = (v: Value): Value => shuffle(v, v, [2, 3, 2, 3]);
  const whole: Value[] = [];
  const rest: Value[] = [];
  for (const half of [(v: Value): Value => v, upper]) {
    const product = timesLogarithm(f, half(m), half(floatE), half(exponent));
    const low = simd("f64x2.pmax", product, f.constant(-1000, "f64"));
    const z = f.let(simd("f64x2.pmin", low, f.constant(1000, "f64")));
    const k = f.let(simd("f64x2.nearest", z));
    whole.push(simd("f32x4.demote_f64x2_zero", k));
    rest.push(simd("f32x4.demote_f64x2_zero", simd("f64x2.sub", z, k)));
  }
  const join = (parts: Value[]): Local =>
    f.let(shuffle(parts[0], parts[1], [0, 1, 4, 5]));
  const r = join(rest);
  const k = join(whole);
  const series = polynomial(f, r, fit.powerOfTwo);
  // 2ᵏ in two factors, as k reaches 128 where the result is still finite.
  const clamp = simd("f32x4.pmax", k, f.constant(-252));
  const bounded = f.let(simd("f32x4.pmin", clamp, f.constant(254)));
  const firstK = f.let(simd("f32x4.floor", mul(bounded, f.constant(0.5))));
  const powerOfTwo = (k: Value): Value =>
    simdShift(
      "i32x4.shl",
      add(k, f.constant(roundingShift + 127)),
      i32(23),
    );
  const scaled = mul(series, powerOfTwo(firstK));
  const finite = mul(scaled, powerOfTwo(sub(bounded, firstK)));

  // |x| = 0 or ∞: 0 or ∞ by the sign of y.
  const isInfinite = simd("f32x4.eq", magnitude, infinity);
  const isZero = simd("f32x4.eq", magnitude, zero);
  const grows = simd(
    "i32x4.eq",
    simd("f32x4.gt", exponent, zero),
    isInfinite,
  );
  const atEdge = simd("v128.and", grows, infinity);
  const edge = simd("v128.or", isInfinite, isZero);
  const absolute = f.let(selectLanes(edge, atEdge, finite));

  const half = f.let(mul(exponent, f.constant(0.5)));
  const isInteger = f.let(
    simd("f32x4.eq", exponent, simd("f32x4.nearest", exponent)),
  );
  const isOdd = simd(
    "v128.and",
    isInteger,
    simd("f32x4.ne", half, simd("f32x4.nearest", half)),
  );
  const signed = withSign(f, absolute, simd("v128.and", isOdd, base));
  const negative = simd(
    "v128.and",
    simd("f32x4.lt", base, zero),
    simd("f32x4.gt", base, f.constant(-Infinity)),
  );
  const undefinedLanes = simd("v128.andnot", negative, isInteger);
  const unordered = simd(
    "v128.or",
    simd("f32x4.ne", base, base),
    simd("f32x4.ne", exponent, exponent),
  );
  const real = simd(
    "v128.or",
    signed,
    simd("v128.or", undefinedLanes, unordered),
  );
  const isOne = simd(
    "v128.or",
    simd("f32x4.eq", exponent, zero),
    simd(
      "v128.or",
      simd("f32x4.eq", base, one),
      simd(
        "v128.and",
        simd("f32x4.eq", magnitude, one),
        simd("f32x4.eq", simd("f32x4.abs", exponent), infinity),
      ),
    ),
  );
  return f.let(selectLanes(isOne, one, real));
}
