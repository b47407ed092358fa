/**
 * How well a model predicts text: perplexity and bits per byte.
 *
 * @module
 */

/**
 * Perplexity: e to the mean loss. A model that is as unsure as between k equally
 * likely tokens has a perplexity of k.
 *
 * @param loss Mean cross entropy in nats per token.
 *
 * @example
 * ```ts
 * import { perplexity } from "@layerbraid/layerbraid/train";
 *
 * console.log(perplexity(Math.log(256)).toFixed(1)); // 256.0
 * ```
 */
export function perplexity(loss: number): number {
  return Math.exp(loss);
}

/**
 * Bits that a coder with this model needs for a byte of text on average, which
 * compares models with different tokenizers.
 *
 * @param loss Mean cross entropy in nats per token.
 * @param bytesPerToken Bytes of UTF-8 per token on average, > 0.
 *
 * @example
 * ```ts
 * import { bitsPerByte } from "@layerbraid/layerbraid/train";
 *
 * console.log(bitsPerByte(Math.log(256), 1)); // 8
 * ```
 */
export function bitsPerByte(loss: number, bytesPerToken: number): number {
  return loss / Math.LN2 / bytesPerToken;
}
