/**
 * Nested iteration: a shallow network is trained, made deeper by interpolation
 * between its layers, and trained further (Cyr, Günther & Schroder 2019,
 * Multilevel Initialization for Layer-Parallel Deep Neural Network Training,
 * arXiv 1912.08974).
 *
 * @example
 * ```ts
 * import { refineLayers } from "@layerbraid/layerbraid/models";
 * import { device, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("reference");
 * const two = { bias: tensor([[0], [4]]) };
 * const constant = refineLayers(two, 2, "constant");
 * const linear = refineLayers(two, 2, "linear");
 * console.log(await constant.bias.data()); // Float32Array [ 0, 0, 4, 4 ]
 * console.log(await linear.bias.data()); // Float32Array [ 0, 2, 4, 4 ]
 * ```
 *
 * @module
 */

import {
  add,
  concat,
  copy,
  expand,
  mapTree,
  mul,
  reshape,
  scope,
  slice,
  type Tensor,
  tensor,
  type Tree,
  unsqueeze,
} from "../tensor/internal.ts";
import { requireInteger, requireOneOf } from "./requirements.ts";

/** What lies between two layers of a network. */
export type LayerInterpolation = "constant" | "linear";

/**
 * The layers of a deeper network: for each layer k of a network of N there are c,
 * layer ck + j being L_k, or (1 − j/c) L_k + (j/c) L_{k+1} with L_N = L_{N−1}.
 * With the same end time T both networks discretize the same ODE, the deeper one
 * in steps of T/(cN). It serves what an optimizer remembers of layers as well.
 *
 * @param stacked Every leaf has the layer as its first axis: `[N, …]`.
 * @param factor c, an integer ≥ 1.
 * @returns `[cN, …]` for each leaf; tensors of their own.
 *
 * @throws {RangeError} If the factor or the interpolation is none.
 */
export function refineLayers<T extends Tree>(
  stacked: T,
  factor: number,
  interpolation: LayerInterpolation,
): T {
  requireInteger("refineLayers", "factor", factor, 1);
  requireOneOf("refineLayers", "interpolation", interpolation, [
    "constant",
    "linear",
  ]);
  return scope(() => mapTree((x) => refine(x, factor, interpolation), stacked));
}

function refine(
  x: Tensor,
  factor: number,
  interpolation: LayerInterpolation,
): Tensor {
  const [layers, ...rest] = x.shape;
  const spread = (layer: Tensor): Tensor =>
    expand(unsqueeze(layer, 1), [layers, factor, ...rest]);
  const refined = interpolation === "constant"
    ? spread(x)
    : interpolate(x, spread, factor);
  return copy(reshape(refined, [layers * factor, ...rest]));
}

function interpolate(
  x: Tensor,
  spread: (layer: Tensor) => Tensor,
  factor: number,
): Tensor {
  const [layers, ...rest] = x.shape;
  const next = concat([
    slice(x, [[1, layers]]),
    slice(x, [[layers - 1, layers]]),
  ]);
  const shape = [factor, ...rest.map(() => 1)];
  const weights = (of: (share: number) => number): Tensor =>
    tensor(Array.from({ length: factor }, (_, j) => of(j / factor)), {
      shape,
      dtype: x.dtype,
      device: x.device,
    });
  return add(
    mul(weights((share) => 1 - share), spread(x)),
    mul(weights((share) => share), spread(next)),
  );
}
