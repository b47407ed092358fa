/**
 * Random numbers and dropout: a thread draws one Philox block, which is four
 * neighbouring elements of a stream.
 *
 * @module
 */

import type { Kernels, RandomKey, View } from "../backend.ts";
import { dropoutThreshold } from "../philox.ts";
import { sizeOf } from "../shape.ts";
import {
  mostStreams,
  randomFunctions,
  randomTail,
  randomTailLength,
} from "./philox.ts";
import type { Gpu } from "./gpu.ts";
import { spread } from "./recorder.ts";
import { words } from "./items.ts";
import type { Shader } from "./shader.ts";
import { windowsFit } from "./windows.ts";

const workgroup = 64;

/** What is made of the four words of a block, and of x. */
type Result = "random" | "dropout";

const results: Readonly<Record<Result, string>> = {
  random: "units_of(random)",
  dropout: "select(vec4<f32>(), x * parameters.scale, " +
    "random >> vec4<u32>(8u) >= vec4<u32>(parameters.threshold))",
};

function shader(result: Result, tail: number, aligned: boolean): Shader {
  const dropout = result === "dropout";
  const loadX = aligned ? "let x = load4_x(first);" : `var x: vec4<f32>;
  for (var i = 0u; i < count; i++) { x[i] = load_x(first + i); }`;
  const store = aligned
    ? "store4_out(first, result);"
    : "for (var i = 0u; i < count; i++) { store_out(first + i, result[i]); }";
  return {
    operation: result,
    operands: [
      ...(dropout
        ? [{ name: "x", access: "read", vector: aligned } as const]
        : []),
      { name: "out", access: "write", vector: aligned },
    ],
    parameters: dropout
      ? [...words("size", "begin", "threshold"), { name: "scale", type: "f32" }]
      : words("size", "begin"),
    tail,
    code: `${randomFunctions}
@compute @workgroup_size(${workgroup})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let block = (group.y * groups.x + group.x) * ${workgroup}u + local;
  if (4u * block >= parameters.size) { return; }
  let first = group.z * parameters.size + 4u * block;
  let count = min(4u, parameters.size - 4u * block);
  let random = random_words(group.z, parameters.begin + block);
  ${dropout ? loadX : ""}
  let result = ${results[result]};
  ${store}
}`,
  };
}

/** The elements `begin` … `end` − 1 of a contiguous view. */
function part(view: View, begin: number, end: number): View {
  return {
    buffer: view.buffer,
    dtype: view.dtype,
    shape: [end - begin],
    strides: [1],
    offset: view.offset + begin,
  };
}

/**
 * Kernels `random` and `dropout` of a GPU. Numbers and masks are those of every
 * other device.
 */
export function randomKernels(
  gpu: Gpu,
): Pick<Kernels, "random" | "dropout"> {
  /** Elements `begin` … of each of the key's streams; x, then out. */
  const launch = (
    result: Result,
    key: RandomKey,
    begin: number,
    views: readonly View[],
    factors: readonly number[],
  ): void => {
    const { streams } = key;
    const elements = sizeOf(views[0].shape);
    const size = elements / streams.length;
    if (
      streams.length > mostStreams ||
      (elements > 4 && !windowsFit(gpu, views))
    ) {
      // Half of the streams, or half of the only one.
      const several = streams.length > 1;
      const cut = Math.ceil(streams.length / 2);
      const half = several ? cut * size : Math.ceil(size / 8) * 4;
      const launchPart = (
        streams: RandomKey["streams"],
        begin: number,
        from: number,
        to: number,
      ): void => {
        const parts = views.map((view) => part(view, from, to));
        launch(result, { ...key, streams }, begin, parts, factors);
      };
      launchPart(several ? streams.slice(0, cut) : streams, begin, 0, half);
      launchPart(
        several ? streams.slice(cut) : streams,
        several ? begin : begin + half,
        half,
        elements,
      );
      return;
    }
    const aligned = size % 4 === 0 &&
      views.every(({ offset }) => offset % 4 === 0);
    const tailLength = randomTailLength(streams.length);
    const compiled = gpu.shader(
      `${result} ${aligned} ${tailLength}`,
      () => shader(result, tailLength, aligned),
    );
    const [x, y] = spread(Math.ceil(size / (4 * workgroup)));
    gpu.launch(
      compiled,
      views,
      [size, begin / 4, ...factors],
      [x, y, streams.length],
      randomTail(key),
    );
  };
  return {
    random: (key, out) => launch("random", key, 0, [out], []),
    dropout: ({ probability, key }, x, out) =>
      launch("dropout", key, 0, [x, out], [
        dropoutThreshold(probability),
        1 / (1 - probability),
      ]),
  };
}
