/**
 * Schedules: by which factor the learning rate is multiplied at each step.
 *
 * @example
 * ```ts
 * import { cosineWarmup } from "@layerbraid/layerbraid/train";
 *
 * const schedule = cosineWarmup({ warmup: 10, total: 110 });
 * console.log([0, 5, 10, 60, 110].map(schedule)); // [ 0, 0.5, 1, 0.5…, 0 ]
 * ```
 *
 * @module
 */

import { requireNumber } from "./optimizer_options.ts";

/** From the number of updates done so far (0 at the first) to a factor ≥ 0. */
export type Schedule = (step: number) => number;

/** Options of schedules that rise, then stay as they are or fall for ever. */
export interface WarmupOptions {
  /** Steps in which the factor rises from 0 to 1. An integer ≥ 0. */
  readonly warmup: number;
}

/** Options of schedules that end. */
export interface DecayOptions extends WarmupOptions {
  /** The step at which the factor is 0. An integer, more than `warmup`. */
  readonly total: number;
}

/** Options of {@linkcode cosineWarmup}. */
export interface CosineOptions extends DecayOptions {
  /** Periods of the cosine between `warmup` and `total`; default 0.5. */
  readonly cycles?: number;
}

/** Options of {@linkcode noam}. */
export interface NoamOptions extends WarmupOptions {
  /** Width of the model. An integer ≥ 1. */
  readonly dimension: number;
}

function requireDecay(name: string, { warmup, total }: DecayOptions): void {
  requireNumber(name, "warmup", warmup, "an integer ≥ 0");
  requireNumber(name, "total", total, "an integer ≥ 1");
  if (total <= warmup) {
    throw new RangeError(
      `${name}: total ${total} must be more than warmup ${warmup}; ` +
        `shorten the warm-up or train longer`,
    );
  }
}

/** 1 at every step. */
export function constant(): Schedule {
  return () => 1;
}

/** t / warmup, then 1. */
export function constantWarmup({ warmup }: WarmupOptions): Schedule {
  requireNumber("constantWarmup", "warmup", warmup, "an integer ≥ 0");
  return (step) => step < warmup ? step / warmup : 1;
}

/** t / warmup, then a straight line to 0 at `total`, then 0. */
export function linearWarmup(options: DecayOptions): Schedule {
  requireDecay("linearWarmup", options);
  const { warmup, total } = options;
  return (step) =>
    step < warmup
      ? step / warmup
      : Math.max(0, (total - step) / (total - warmup));
}

/**
 * t / warmup, then (1 + cos(2π cycles · progress)) / 2, where progress goes
 * from 0 at `warmup` to 1 at `total` (SGDR, Loshchilov & Hutter 2017, eq. 5).
 */
export function cosineWarmup(options: CosineOptions): Schedule {
  requireDecay("cosineWarmup", options);
  const { warmup, total, cycles = 0.5 } = options;
  requireNumber("cosineWarmup", "cycles", cycles, "a finite number > 0");
  return (step) => {
    if (step < warmup) return step / warmup;
    const progress = (step - warmup) / (total - warmup);
    return 0.5 * (1 + Math.cos(2 * Math.PI * cycles * progress));
  };
}

/**
 * (1 + cos(π t / total)) / 2, times t / warmup while t ≤ warmup: the schedule
 * of TorchBraid's language model example.
 */
export function torchBraidCosine(options: DecayOptions): Schedule {
  requireDecay("torchBraidCosine", options);
  const { warmup, total } = options;
  return (step) => {
    const cosine = 0.5 * (1 + Math.cos(Math.PI * step / total));
    return step < warmup ? cosine * step / warmup : cosine;
  };
}

/** t / warmup, then √(warmup / t); `warmup` must be at least 1. */
export function inverseSqrt({ warmup }: WarmupOptions): Schedule {
  requireNumber("inverseSqrt", "warmup", warmup, "an integer ≥ 1");
  return (step) => step < warmup ? step / warmup : Math.sqrt(warmup / step);
}

/**
 * min(1/√t, t / √warmup³) / √dimension (Vaswani et al. 2017, eq. 3), where t
 * counts from 1 and step 0 is as step 1; `warmup` must be at least 1.
 */
export function noam({ dimension, warmup }: NoamOptions): Schedule {
  requireNumber("noam", "dimension", dimension, "an integer ≥ 1");
  requireNumber("noam", "warmup", warmup, "an integer ≥ 1");
  return (step) => {
    const t = Math.max(1, step);
    return Math.min(t ** -0.5, t * warmup ** -1.5) / Math.sqrt(dimension);
  };
}
