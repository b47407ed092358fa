/**
 * Problems of attention on which a device is compared with the reference in
 * double precision.
 *
 * @module
 */

import { assert } from "@std/assert";
import type {
  AttentionArguments,
  Kernels,
  RandomKey,
  View,
} from "../../tensor/backend.ts";
import type { Dtype, TypedArray } from "../../tensor/dtype.ts";
import { createReferenceBackend } from "../../tensor/reference/mod.ts";
import { contiguous, type Layout, lengthOf, placesOf } from "./layouts.ts";

/** A device as these problems see it: kernels and memory, reals of one type. */
export interface Place {
  readonly real: "f16" | "f32" | "f64";
  readonly kernels: Pick<Kernels, "attention" | "attentionBackward">;
  /** A view of fresh memory with these values. */
  view(dtype: Dtype, layout: Layout, values: Float32Array): View;
}

/** One problem: extents, options, layouts. */
export interface Problem {
  readonly shape: readonly [number, number, number, number, number]; // B H T S D
  readonly causal?: boolean;
  readonly keep?: "padding" | "strided" | "nothing";
  readonly bias?: "columns" | "strided" | "infinite";
  readonly probability?: number;
  readonly streams?: number;
  /**
   * Heads apart (default); side by side in rows with gaps; or so that queries,
   * keys and values, and their gradients, are parts of the rows of one buffer.
   */
  readonly heads?: "interleaved" | "packed";
  readonly scale?: number;
  /** Whether queries and keys are −1, 0 and 1, so that scores are exact. */
  readonly exact?: boolean;
  /** Whether reals are stored in 16 bits, and are rounded to them for all. */
  readonly halves?: boolean;
  /** Whether the first query is not a number. */
  readonly spoilt?: boolean;
}

/** All results of one problem, row-major, and what lies between them. */
export type Results = Readonly<Record<string, readonly number[]>>;

let seed = 1;

/** Numbers in [−1, 1), the same in every run and on every place. */
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
  return Math.fround(seed / 2 ** 31);
}

function randomNumbers(length: number, { halves }: Problem): Float32Array {
  const numbers = Float32Array.from({ length }, random);
  return halves ? numbers.map(Math.f16round) : numbers;
}

/** Query, key and value, or their gradients, in one buffer or in three. */
function sides(place: Place, problem: Problem): [View, View, View] {
  const { heads: order, exact, spoilt } = problem;
  const [batch, heads, queries, keys, depth] = problem.shape;
  const longest = Math.max(queries, keys);
  const gap = order === "interleaved" ? 1 : 0;
  const width = 3 * heads * depth + gap;
  const layouts = [queries, keys, keys].map((rows, part): Layout => {
    const shape = [batch, heads, rows, depth];
    if (order === undefined) return contiguous(shape);
    const strides = [longest * width, depth, width, 1];
    const offset = order === "packed" ? part * heads * depth : gap;
    return { shape, strides, offset };
  });
  const values = (layout: Layout, part: number): Float32Array => {
    const drawn = randomNumbers(lengthOf(layout), problem);
    if (spoilt && part === 0) drawn[layout.offset] = NaN;
    return exact && part < 2 ? drawn.map(Math.round) : drawn;
  };
  if (order !== "packed") {
    const views = layouts.map((layout, part) =>
      place.view(place.real, layout, values(layout, part))
    );
    return [views[0], views[1], views[2]];
  }
  const all = contiguous([batch, longest, width]);
  const { buffer } = place.view(place.real, all, values(all, 2));
  const [query, key, value] = layouts.map((layout): View => ({
    ...{ ...layout, buffer, dtype: place.real },
  }));
  return [query, key, value];
}

/** Runs forward and backward; returns the views of the results. */
export function runProblem(
  place: Place,
  problem: Problem,
): Record<string, View> {
  seed = 17;
  const [batches, heads, queries, , depth] = problem.shape;
  const real = (layout: Layout): View =>
    place.view(place.real, layout, randomNumbers(lengthOf(layout), problem));
  const plain = { ...problem, exact: false, spoilt: false };
  const rows = (): View => sides(place, plain)[0];
  const randomKey: RandomKey = {
    seed: 2 ** 40 + 12345,
    streams: Array.from({ length: problem.streams ?? 1 }, (_, i) => [i, 2, 3]),
  };
  const [query, key, value] = sides(place, problem);
  const args: AttentionArguments = {
    ...{ query, key, value },
    causal: problem.causal ?? false,
    scale: problem.scale ?? 1 / Math.sqrt(depth),
    ...(problem.keep && { keep: keepView(place, problem) }),
    ...(problem.bias && { bias: biasView(place, problem) }),
    ...(problem.probability && {
      dropout: { probability: problem.probability, key: randomKey },
    }),
  };
  const [out, dout] = [rows(), rows()];
  const logSumExp = real(contiguous([batches, heads, queries]));
  place.kernels.attention(args, out, logSumExp);
  const [dquery, dkey, dvalue] = sides(place, plain);
  place.kernels.attentionBackward(
    ...[args, out, logSumExp, dout, dquery, dkey, dvalue] as const,
  );
  return { out, logSumExp, dquery, dkey, dvalue };
}

function biasView(place: Place, problem: Problem): View {
  const [batches, heads, queries, keys] = problem.shape;
  const layout = {
    shape: [batches, heads, queries, keys],
    strides: problem.bias === "strided"
      ? [2 * heads * queries * keys, 2 * queries * keys, 2, 2 * queries]
      : [0, queries * keys, keys, 1],
    offset: 0,
  };
  const values = randomNumbers(lengthOf(layout), problem);
  const masked = (x: number, i: number): number =>
    i < keys || x < -0.4 ? -Infinity : x;
  return place.view(
    place.real,
    layout,
    problem.bias === "infinite" ? values.map(masked) : values,
  );
}

function keepView(place: Place, problem: Problem): View {
  const [batches, heads, queries, keys] = problem.shape;
  const shape = [batches, heads, queries, keys];
  const strides = problem.keep === "strided"
    ? [2 * queries * keys, 0, 1, 2 * queries]
    : [keys, 0, 0, 1];
  const layout = { shape, strides, offset: 0 };
  const values = Float32Array.from(
    { length: lengthOf(layout) },
    (_, i) =>
      problem.keep === "nothing" && i < keys ? 0 : Number(random() > -0.4),
  );
  return place.view("bool", layout, values);
}

/**
 * The elements of each view, and those of its buffer that belong to none.
 *
 * @param views From {@linkcode runProblem}.
 * @param memory All elements of each view's buffer.
 */
export function resultsOf(
  views: Readonly<Record<string, View>>,
  memory: (view: View) => TypedArray,
): Results {
  const results: Record<string, number[]> = {};
  const all = Object.entries(views);
  for (const [name, view] of all) {
    const values = memory(view);
    results[name] = placesOf(view).map((at) => values[at]);
    const inside = new Set(
      all.flatMap(([, other]) =>
        other.buffer === view.buffer ? placesOf(other) : []
      ),
    );
    results[`${name} outside`] = Array.from(values)
      .filter((_, at) => !inside.has(at));
  }
  return results;
}

/** What the reference makes of a problem. */
export function referenceResults(problem: Problem): Results {
  const device = createReferenceBackend({ dtype: "f64" });
  const views = runProblem({
    real: "f64",
    kernels: device,
    view(dtype, layout, values) {
      const buffer = device.allocate(values.length * 8);
      const Type = dtype === "bool" ? Uint8Array : Float64Array;
      device.write(buffer, Type.from(values), 0);
      return { buffer, dtype, ...layout };
    },
  }, problem);
  return resultsOf(
    views,
    ({ buffer, dtype }) =>
      device.read(buffer, dtype, 0, buffer.bytes / 8) as TypedArray,
  );
}

/**
 * Scores are sums of ~10 products of numbers below 1, whose f32 rounding (6e-8
 * each) probabilities and gradients inherit: 1e-5 leaves a margin of 10.
 */
const tolerance = 1e-5;
/** Eight units in the last place of a number in 16 bits near 1. */
const toleranceOfHalves = 2 ** -8;

/**
 * What a result may be off by. Gradients come from probabilities that inherit
 * the rounding of logSumExp; those of queries and keys grow with the scale.
 */
function limitOf(
  name: string,
  value: number,
  { scale = 1, halves }: Problem,
  { logSumExp }: Results,
): number {
  if (name.endsWith("outside")) return 0;
  if (halves) return toleranceOfHalves * (1 + Math.abs(value));
  if (!name.startsWith("d")) return tolerance * (1 + Math.abs(value));
  const largest = logSumExp.reduce(
    (most, x) => Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most,
    0,
  );
  const size = name === "dvalue" ? 1 : Math.max(1, scale);
  return (tolerance + largest * 2 ** -24) * (size + Math.abs(value));
}

/** Compares with the reference; nothing outside of results may change. */
export function assertResults(found: Results, problem: Problem): void {
  const wanted = referenceResults(problem);
  for (const [name, values] of Object.entries(wanted)) {
    values.forEach((value, i) => {
      const limit = limitOf(name, value, problem, wanted);
      const close = Math.abs(found[name][i] - value) <= limit ||
        Object.is(found[name][i], value);
      assert(
        close,
        `${JSON.stringify(problem)}: ${name}[${i}] is ` +
          `${found[name][i]}, not ${value}`,
      );
    });
  }
}

/** Extents that meet the edges of tiles of every kind. */
export const shapes: readonly Problem["shape"][] = [
  [1, 1, 1, 1, 1],
  [2, 3, 5, 7, 5],
  [1, 2, 64, 64, 32],
  [2, 2, 13, 13, 8],
  [1, 2, 100, 70, 17],
  [1, 2, 9, 300, 33],
  [1, 1, 120, 290, 16],
];
