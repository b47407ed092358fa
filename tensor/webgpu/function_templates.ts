/**
 * The bodies of the elementary functions in WGSL, see `scalar_functions.ts`.
 *
 * The polynomials are those of the wasm device, so the devices agree to
 * rounding.
 *
 * WGSL lets compilers reassociate sums, assume that no number is NaN and turn
 * `a < b ? a : b` into a `min` that drops it. Hence no sum here relies on its
 * rounding errors, infinities are made from bits at run time, and a NaN either
 * goes through plain arithmetic or is found by its bits. Subnormal numbers may
 * count as 0, as arguments and as results.
 *
 * @module
 */

import * as fit from "../approximations.ts";

/** A finite number, rounded to f32, as WGSL text. */
export function floatLiteral(value: number): string {
  const single = Math.fround(value);
  const text = Object.is(single, -0) ? "-0" : `${single}`;
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** c₀ + c₁x + c₂x² + …, by Horner's rule. */
function polynomial(x: string, coefficients: readonly number[]): string {
  return coefficients.map(floatLiteral).reduceRight((higher, coefficient) =>
    `(${higher} * ${x} + ${coefficient})`
  );
}

const ln2High = floatLiteral(fit.ln2High);
const ln2Low = floatLiteral(fit.ln2Low);

/** k = round(x / ln 2) and x − k ln 2, exact to rounding. */
const exponentialParts = `
  let k = clamp(round(x * ${floatLiteral(Math.LOG2E)}), F(-126.0), F(128.0));
  let r = (x - k * ${ln2High}) - k * ${ln2Low};
  let half_power = bitcast<F>((I(k) + I(126)) << U(23u));`;

/** A ratio of polynomials, ±1 beyond `limit` and never more. */
function boundedRatio(
  limit: number,
  numerator: readonly number[],
  denominator: readonly number[],
): string {
  return `
  let square = x * x;
  let ratio = x * ${polynomial("square", numerator)} /
    ${polynomial("square", denominator)};
  let beyond = (abs(x) > F(${floatLiteral(limit)})) | (abs(ratio) > F(1.0));
  return select(ratio, sign(x), beyond);`;
}

/** sin(x + quarters · π/2), by symmetry from [−π/4, π/4]. */
function sine(quarters: number): string {
  const reduced = fit.halfPiParts.reduce(
    (left, part) => `(${left} - k * ${floatLiteral(part)})`,
    "x",
  );
  const odd = polynomial("square", fit.sineRest);
  const even = polynomial("square", fit.cosineRest);
  return `
  let k = round(x * ${floatLiteral(2 / Math.PI)});
  let near = ${reduced};
  let r = select(near, F(0.0), abs(near) > F(1.0));
  let square = r * r;
  let sine = ${odd} * square * r + r;
  let cosine = ${even} * square * square + (1.0 - square * 0.5);
  let quadrant = U(I(k) + I(${quarters}));
  let is_odd = (quadrant & U(1u)) == U(1u);
  let magnitude = bitcast<U>(select(sine, cosine, is_odd));
  return bitcast<F>(magnitude ^ ((quadrant & U(2u)) << U(30u)));`;
}

/**
 * Parameters, result and body of each function. `F`, `I`, `U` and `B` stand
 * for f32, i32, u32 and bool, or four of them, `$` for the ending of the names.
 */
export const functionTemplates = {
  /** +∞, which WGSL has no constant for. */
  infinity: `() -> f32 {
  var bits = 0x7f800000u;
  return bitcast<f32>(bits);
}`,
  /** A NaN. */
  not_a_number: `() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}`,
  /** Whether x is NaN. */
  is_nan: `(x: F) -> B {
  return (bitcast<U>(x) & U(0x7fffffffu)) > U(0x7f800000u);
}`,
  /** The larger; NaN if either is. */
  larger: `(a: F, b: F) -> F {
  return select(select(max(a, b), b, is_nan$(b)), a, is_nan$(a));
}`,
  /** The smaller; NaN if either is. */
  smaller: `(a: F, b: F) -> F {
  return select(select(min(a, b), b, is_nan$(b)), a, is_nan$(a));
}`,
  /** −1, 0 or 1; NaN for NaN. */
  sign_of: `(x: F) -> F {
  return select(sign(x), x, is_nan$(x));
}`,
  /** Toward zero, saturating at the ends of i32; 0 for NaN. */
  to_int: `(x: F) -> I {
  let inside = I(clamp(x, F(-2147483648.0), F(2147483520.0)));
  let above = select(inside, I(2147483647), x >= F(2147483648.0));
  return select(above, I(0), is_nan$(x));
}`,
  /**
   * eˣ = 2ᵏ⁻¹ · 2eʳ: half of 2ᵏ is finite wherever the result is. Results
   * below 2⁻¹²⁵ become 0.
   */
  accurate_exp: `(x: F) -> F {${exponentialParts}
  let series = ${polynomial("r", fit.twiceExponential)};
  return select(series * half_power, F(0.0), x < F(-87.5));
}`,
  /** eˣ − 1 = 2ᵏ (eʳ − 1) + 2ᵏ − 1, at half size so that 2ᵏ stays finite. */
  accurate_expm1: `(x: F) -> F {${exponentialParts}
  let series = ${polynomial("r", fit.exponentialRest)};
  let small = series * (r * r) + r;
  let result = 2.0 * (small * half_power + (half_power - 0.5));
  return select(result, F(-1.0), x < F(-30.0));
}`,
  /** exponent · ln 2 + log(1 + z) for 1 + z in [√½, √2). */
  logarithm: `(z: F, exponent: F) -> F {
  let series = ${polynomial("z", fit.logarithmRest)};
  let square = z * z;
  let lower = exponent * ${ln2Low} + square * z * series;
  return exponent * ${ln2High} + (z + (lower - square * 0.5));
}`,
  /** `result` where x is positive and finite: log 0 = −∞, log ∞ = ∞, NaN. */
  logarithm_at_edges: `(x: F, result: F) -> F {
  let bits = bitcast<U>(x);
  let negative = select(x, F(not_a_number()), bits > U(0x80000000u));
  let edge = select(negative, F(-infinity()), (bits << U(1u)) == U(0u));
  return select(edge, result, (bits - U(1u)) < U(0x7f7fffffu));
}`,
  /** Natural logarithm, of subnormal numbers too. */
  accurate_log: `(x: F) -> F {
  let given = bitcast<U>(x);
  let tiny = given < U(0x00800000u);
  let bits = bitcast<I>(select(x, F(given), tiny));
  let e = (bits - I(0x3f3504f3)) >> U(23u);
  let z = bitcast<F>(bits - (e << U(23u))) - 1.0;
  let exponent = F(e) - select(F(0.0), F(149.0), tiny);
  return logarithm_at_edges$(x, logarithm$(z, exponent));
}`,
  /**
   * log(1 + x) = e ln 2 + log(1 + z) with z = 2⁻ᵉx + (2⁻ᵉ − 1), which is
   * rounded once only; where 2⁻ᵉ is too small, from x / 2⁶⁴.
   */
  accurate_log1p: `(x: F) -> F {
  let u = x + 1.0;
  let e = (bitcast<I>(u) - I(0x3f3504f3)) >> U(23u);
  let large = e > I(100);
  let scale = bitcast<F>((I(127) - select(e, e - I(64), large)) << U(23u));
  let scaled = select(x, x * ${floatLiteral(2 ** -64)}, large);
  let z = scaled * scale + (scale - 1.0);
  return logarithm_at_edges$(u, logarithm$(z, F(e)));
}`,
  /** 1 / √x */
  accurate_rsqrt: `(x: F) -> F {
  return 1.0 / sqrt(x);
}`,
  /** tanh x = x P(x²) / Q(x²) for |x| ≤ 9, where it rounds to ±1. */
  accurate_tanh: `(x: F) -> F {${
    boundedRatio(9, fit.tanhNumerator, fit.tanhDenominator)
  }
}`,
  /** erf x = x P(x²) / Q(x²) for |x| ≤ 3.93, where it rounds to ±1. */
  accurate_erf: `(x: F) -> F {${
    boundedRatio(3.93, fit.erfNumerator, fit.erfDenominator)
  }
}`,
  /** 1 / (1 + e⁻ˣ) */
  accurate_sigmoid: `(x: F) -> F {
  return 1.0 / (1.0 + accurate_exp$(-x));
}`,
  /** log(1 + eˣ) = max(x, 0) + log(1 + e⁻|ˣ|) */
  accurate_softplus: `(x: F) -> F {
  return max(x, F(0.0)) + accurate_log1p$(accurate_exp$(-abs(x)));
}`,
  /** Sine of radians. */
  accurate_sin: `(x: F) -> F {${sine(0)}
}`,
  /** Cosine of radians. */
  accurate_cos: `(x: F) -> F {${sine(1)}
}`,
  /**
   * log₂ of a positive finite number as a sum of two: the first has 12 bits,
   * the second what is missing. With s = (m − 1) / (m + 1), log₂ m is s times
   * a series in s². All products of leading parts are exact.
   */
  logarithm_parts: `(x: F) -> array<F, 2> {
  let given = bitcast<U>(x);
  let tiny = given < U(0x00800000u);
  let bits = bitcast<I>(select(x, F(given), tiny));
  let e = (bits - I(0x3f3504f3)) >> U(23u);
  let exponent = F(e) - select(F(0.0), F(149.0), tiny);
  let m = bitcast<F>(bits - (e << U(23u)));
  let m_high = bitcast<F>(bitcast<U>(m) & U(0xffffc000u));
  let s = (m - 1.0) / (m + 1.0);
  let s_high = leading_bits$(s);
  let rest = ((m - 1.0) - s_high * (m_high + 1.0)) - s_high * (m - m_high);
  let s_low = rest / (m + 1.0);
  let square = s * s;
  let series = ${
    polynomial("square", [
      0.9617966733544518,
      0.5770835827476448,
      0.41167284993696773,
      0.3407276680442148,
    ])
  };
  let first = ${floatLiteral(2.884765625)} * s_high;
  let second = ${floatLiteral(2.884765625)} * s_low +
    (${
    floatLiteral(2.8853900817900704 - 2.884765625)
  } * s + square * series * s);
  let high = leading_bits$(exponent + (first + second));
  return array<F, 2>(high, ((exponent - high) + first) + second);
}`,
  /** x cut to its 12 leading bits: products of two such are exact. */
  leading_bits: `(x: F) -> F {
  return bitcast<F>(bitcast<U>(x) & U(0xfffff000u));
}`,
  /** 2ᵏ for an integer k in −126 … 127. */
  power_of_two: `(k: F) -> F {
  return bitcast<F>((I(k) + I(127)) << U(23u));
}`,
  /** |x|ʸ = 2^(y log₂|x|) for positive finite |x|. */
  positive_power: `(x: F, y: F) -> F {
  let parts = logarithm_parts$(x);
  // Where a larger exponent makes a difference, the result is 0 or ∞ anyway.
  let exponent = clamp(y, F(${floatLiteral(-(2 ** 34))}), F(${
    floatLiteral(2 ** 34)
  }));
  let y_high = leading_bits$(exponent);
  let product = y_high * parts[0];
  let rest = (exponent - y_high) * parts[0] + exponent * parts[1];
  let z = round(product + rest);
  let r = select((product - z) + rest, F(0.0), abs(z) > F(200.0));
  let series = ${polynomial("r", fit.powerOfTwo)};
  // Two factors, as k reaches 128 where the result is still finite.
  let k = clamp(z, F(-252.0), F(254.0));
  let half = floor(k * 0.5);
  return (series * power_of_two$(half)) * power_of_two$(k - half);
}`,
  /** xʸ; edge cases are those of C's \`pow\`. */
  accurate_pow: `(x: F, y: F) -> F {
  let magnitude = abs(x);
  let bits = bitcast<U>(magnitude);
  let is_zero = bits == U(0u);
  let is_infinite = bits == U(0x7f800000u);
  let edge = select(F(0.0), F(infinity()), (y > F(0.0)) == is_infinite);
  let absolute = select(positive_power$(magnitude, y), edge,
    is_zero | is_infinite);
  let is_integer = floor(y) == y;
  let is_odd = is_integer & (floor(y * 0.5) != y * 0.5);
  let is_negative = (bitcast<U>(x) >> U(31u)) == U(1u);
  let signed = select(absolute, -absolute, is_negative & is_odd);
  let undefined_here = is_negative & !is_integer & !is_zero & !is_infinite;
  let real = select(signed, F(not_a_number()),
    undefined_here | is_nan$(x) | is_nan$(y));
  let is_one = (x == F(1.0)) | (y == F(0.0)) |
    ((magnitude == F(1.0)) & (abs(y) == F(infinity())));
  return select(real, F(1.0), is_one);
}`,
} as const;
