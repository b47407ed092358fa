/**
 * Positions as sines and cosines of geometrically spaced wavelengths (Vaswani
 * et al. 2017, §3.5).
 *
 * @example
 * ```ts
 * import { sinusoids } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * console.log(await sinusoids(2, 4, "halves").array());
 * // [ [ 0, 0, 1, 1 ], [ 0.84…, 0.0099…, 0.54…, 0.99… ] ]
 * ```
 *
 * @module
 */

import { type Tensor, tensor } from "../tensor/internal.ts";

/**
 * `halves`: sines in the first half of the columns, cosines in the second, as
 * Marian has them; `interleaved`: sine, cosine, sine, … as in the paper. With an
 * odd width there is one sine more than cosines.
 */
export type SinusoidLayout = "halves" | "interleaved";

/**
 * `[length, width]`: sin(p / 10000^(2k / width)) and the cosine of the same, for
 * position p and pair k.
 */
export function sinusoids(
  length: number,
  width: number,
  layout: SinusoidLayout,
): Tensor {
  const sines = Math.ceil(width / 2);
  const values = new Float64Array(length * width);
  for (let position = 0; position < length; position++) {
    for (let column = 0; column < width; column++) {
      const pair = Math.floor(column / 2);
      const angle = position / 10000 ** (2 * pair / width);
      const even = column % 2 === 0;
      const to = layout === "interleaved" ? column : even ? pair : sines + pair;
      values[position * width + to] = even ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return tensor(values, { shape: [length, width] });
}
