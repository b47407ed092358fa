/**
 * Sorting indices stably, without atomics: a thread for each value of a digit
 * goes through all of them, twice.
 *
 * @module
 */

import type { View } from "../backend.ts";
import type { DescribeIndex, Gpu } from "./gpu.ts";
import { forItems, itemWorkgroups, words } from "./items.ts";
import type { Shader } from "./shader.ts";
import { scratch } from "./scratch.ts";

/** Bits of a digit at most: 512 threads. */
const digitBits = 9;

// Bad indices become n and so come last; the thread that has them reports the
// first.
function sortShader(first: boolean): Shader {
  const keyOf = (j: string): string =>
    first
      ? `min(u32(load_index(${j})), parameters.n)`
      : `u32(load_index(${j}))`;
  return {
    operation: "takeBackward",
    operands: [
      { name: "index", access: "read" },
      ...(first ? [] : [{ name: "order", access: "read" } as const]),
      { name: "sorted_index", access: "write" },
      { name: "sorted_order", access: "write" },
    ],
    parameters: words("items", "k", "n", "shift"),
    indexed: first,
    code: forItems(`
  var place = 0u;
  for (var j = 0u; j < parameters.k; j++) {
    let digit = (${keyOf("j")} >> parameters.shift) & (parameters.items - 1u);
    place += select(0u, 1u, digit < item);
  }
  ${first ? "var good = true;" : ""}
  for (var j = 0u; j < parameters.k; j++) {
    let key = ${keyOf("j")};
    if (((key >> parameters.shift) & (parameters.items - 1u)) != item) { continue; }
    ${
      first
        ? `if (good && key == parameters.n) {
      report_index(j, load_index(j));
      good = false;
    }`
        : ""
    }
    store_sorted_index(place, i32(key));
    store_sorted_order(place, ${first ? "i32(j)" : "load_order(j)"});
    place++;
  }`),
  };
}

/**
 * Sorts an i32 `[k]` of numbers below n and hands the sorted numbers and their
 * former positions, both i32 `[k]`, to `use`; both are gone thereafter.
 */
export function sortIndex(
  gpu: Gpu,
  index: View,
  n: number,
  describe: DescribeIndex,
  use: (sorted: View, order: View) => void,
): void {
  const [k] = index.shape;
  const bits = Math.max(1, 32 - Math.clz32(n)); // of n too, see above
  const passes = Math.ceil(bits / digitBits);
  const bitsEach = Math.ceil(bits / passes);
  const digits = 2 ** bitsEach;
  const memory = Array.from(
    { length: passes === 1 ? 2 : 4 },
    () => scratch(gpu, "takeBackward", k, "i32"),
  );
  let from: readonly View[] = [index];
  for (let pass = 0; pass < passes; pass++) {
    const to = memory.slice(2 * (pass % 2), 2 * (pass % 2) + 2);
    const first = pass === 0;
    gpu.launch(
      gpu.shader(`sort index ${first}`, () => sortShader(first)),
      [...from, ...to],
      [digits, k, n, pass * bitsEach],
      itemWorkgroups(digits),
      undefined,
      describe,
    );
    from = to;
  }
  use(from[0], from[1]);
  for (const { buffer } of memory) gpu.pool.free(buffer);
}
