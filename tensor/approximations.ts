/**
 * Coefficients of what elementary functions are made of, constant term first,
 * for devices that compute in f32: so they agree to rounding.
 *
 * Polynomials are minimax fits (Lawson's iteration in f64, coefficients rounded
 * to f32 one after the other).
 *
 * @module
 */

/** ln 2 in two parts, this one of 9 bits, so that multiples of it are exact. */
export const ln2High = 0.693359375;
/** What is missing. */
export const ln2Low = -2.12194440e-4;

/** 2eʳ for |r| ≤ ln 2 / 2. */
export const twiceExponential: readonly number[] = [
  2,
  2,
  0.9999998807907104,
  0.3333304524421692,
  0.08333658427000046,
  0.016737064346671104,
  0.002763659693300724,
];

/** (eʳ − 1 − r) / r² for |r| ≤ ln 2 / 2. */
export const exponentialRest: readonly number[] = [
  0.5,
  0.1666666567325592,
  0.04166649281978607,
  0.008333547972142696,
  0.0013932313304394484,
  0.00019760052964556962,
];

/** (log(1 + z) − z + z²/2) / z³ for 1 + z in [√½, √2). */
export const logarithmRest: readonly number[] = [
  0.3333333134651184,
  -0.2500081956386566,
  0.2000124156475067,
  -0.166234090924263,
  0.14201579988002777,
  -0.13159610331058502,
  0.12762217223644257,
  -0.07636439055204391,
];

/** 2ʳ for |r| ≤ ½. */
export const powerOfTwo: readonly number[] = [
  1,
  0.6931471824645996,
  0.24022647738456726,
  0.05550359934568405,
  0.009618505835533142,
  0.0013390806270763278,
  0.0001532646274426952,
];

/** P of tanh x = x P(x²) / Q(x²) for |x| ≤ 9, where it rounds to ±1. */
export const tanhNumerator: readonly number[] = [
  0.9999999790314016,
  0.13379716314927298,
  0.0034940326475372298,
  2.058345114340877e-05,
  1.3319033241987866e-08,
];

/** Its Q. */
export const tanhDenominator: readonly number[] = [
  1,
  0.46713031559106194,
  0.025871065865096247,
  0.00032830897655075386,
  7.762002943269945e-07,
];

/** P of erf x = x P(x²) / Q(x²) for |x| ≤ 3.93, where it rounds to ±1. */
export const erfNumerator: readonly number[] = [
  1.1283791453723953,
  0.1907831907033655,
  0.0527902008658571,
  0.00377958162395044,
  0.00028480796167818575,
  2.041975435169147e-06,
];

/** Its Q. */
export const erfDenominator: readonly number[] = [
  1,
  0.5024099202405794,
  0.11425725726963899,
  0.014997382143561964,
  0.0011652059825984485,
  3.8004089605142293e-05,
];

/**
 * π/2 in parts of 8 bits and a remainder (Cody & Waite 1980): their products
 * with k < 2¹⁶ are exact, so that |x| ≤ 1e5 keeps full accuracy. Beyond, the
 * error grows with |x|, and from 6e6 on the result is any number in [−1, 1].
 */
export const halfPiParts: readonly number[] = [
  1.5703125,
  0.000484466552734375,
  -6.407499313354492e-7,
  9.92093629470503e-10,
];

/** (sin r − r) / r³ for |r| ≤ π/4, in powers of r². */
export const sineRest: readonly number[] = [
  -0.1666666716337204,
  0.008333379402756691,
  -0.00019853074627462775,
  2.8327656309556914e-06,
];

/** (cos r − 1 + r²/2) / r⁴ for |r| ≤ π/4, in powers of r². */
export const cosineRest: readonly number[] = [
  0.04166664555668831,
  -0.0013887310633435845,
  2.4432563805021346e-05,
];
