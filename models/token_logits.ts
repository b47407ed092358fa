/**
 * Logits over the vocabulary, the last step of a language model.
 *
 * @module
 */

import { cast, matmul, type Tensor } from "../tensor/internal.ts";
import type { Precision } from "./layer_stacks.ts";

/** What turns states into logits. */
export interface TokenHead {
  /** `[vocabulary, width]`, for a head that is the transposed embedding. */
  readonly tokens: Tensor;
  /** `[width, vocabulary]`, where the head has weights of its own. */
  readonly head?: Tensor;
  /** `[vocabulary]`. */
  readonly bias?: Tensor;
}

/** Logits `[…, vocabulary]` of states `[…, width]`. */
export function tokenLogits(
  states: Tensor,
  { tokens, head, bias }: TokenHead,
  precision: Precision | undefined,
): Tensor {
  const weight = head ?? tokens;
  const options = { transposeB: head === undefined, bias };
  return precision === "f16"
    ? matmul(cast(states, "f16"), cast(weight, "f16"), options)
    : matmul(states, weight, options);
}
