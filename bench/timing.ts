/**
 * Measuring durations.
 *
 * @module
 */

/** Durations of repeated runs, in milliseconds. */
export interface Timing {
  /** Shortest. */
  readonly best: number;
  /** Middle. */
  readonly median: number;
}

/** The middle of a list of numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Times `f` in samples long enough for the clock, for about `budget`
 * milliseconds after as many of warm-up, in which V8 optimizes the kernels.
 */
export function time(f: () => void, budget = 400): Timing {
  const warmEnd = performance.now() + budget;
  let calls = 0;
  const warmStart = performance.now();
  do {
    f();
    calls++;
  } while (performance.now() < warmEnd);
  const perCall = (performance.now() - warmStart) / calls;
  const repeats = Math.max(1, Math.round(2 / perCall));
  const samples: number[] = [];
  const end = performance.now() + budget;
  do {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) f();
    samples.push((performance.now() - start) / repeats);
  } while (performance.now() < end || samples.length < 3);
  return { best: Math.min(...samples), median: median(samples) };
}

/** Lets pending events in: a worker that couldn't start is heard of then. */
export function pendingEvents(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
