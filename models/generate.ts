/**
 * Generating text from a GPT, token by token, with a key–value cache.
 *
 * @module
 */

import { evaluate } from "../autograd/mod.ts";
import {
  dispose,
  randomUnit,
  select,
  slice,
  tensor,
  zeros,
} from "../tensor/internal.ts";
import { type GptConfiguration, gptLogits, type GptParameters } from "./gpt.ts";
import type { KeyValueCache } from "./sublayers.ts";

/** How the next token is chosen. */
export interface SamplingOptions {
  /** 0 takes the likeliest token; higher is more varied. Default 1. */
  readonly temperature?: number;
  /** Only the k likeliest tokens; default all. */
  readonly topK?: number;
  /** Only the likeliest tokens that together reach this probability; default 1. */
  readonly topP?: number;
  /** Seed of the choices; default 0. */
  readonly seed?: number;
}

/** Options of `generate`. */
export interface GenerateOptions extends SamplingOptions {
  /** How many tokens to make. */
  readonly count: number;
  /**
   * Keep keys and values of earlier positions (default). Without, every token
   * costs a pass over the whole text; the tokens are the same.
   */
  readonly cache?: boolean;
}

function validate(options: GenerateOptions, vocabulary: number): void {
  const { count, temperature = 1, topK = vocabulary, topP = 1 } = options;
  const fail = (name: string, value: number, expected: string): never => {
    throw new RangeError(`generate: ${name} ${value} must be ${expected}`);
  };
  if (!Number.isInteger(count) || count < 0) {
    fail("count", count, "an integer ≥ 0");
  }
  if (!(temperature >= 0 && temperature < Infinity)) {
    fail("temperature", temperature, "a number ≥ 0");
  }
  if (!Number.isInteger(topK) || topK < 1) fail("topK", topK, "an integer ≥ 1");
  if (!(topP > 0 && topP <= 1)) fail("topP", topP, "in (0, 1]");
}

/**
 * The token that a uniform number in [0, 1) picks, given logits.
 *
 * @throws {RangeError} If the logits hold no finite number.
 */
export function sampleToken(
  logits: ArrayLike<number>,
  uniform: number,
  options: SamplingOptions = {},
): number {
  const { temperature = 1, topK = logits.length, topP = 1 } = options;
  const order = Array.from({ length: logits.length }, (_, i) => i)
    .filter((i) => logits[i] > -Infinity)
    .sort((a, b) => logits[b] - logits[a] || a - b);
  if (order.length === 0 || !Number.isFinite(logits[order[0]])) {
    throw new RangeError("generate: the model's logits are not finite");
  }
  if (temperature === 0) return order[0];
  const top = logits[order[0]];
  const candidates = order.slice(0, topK);
  const weights = candidates.map((i) =>
    Math.exp((logits[i] - top) / temperature)
  );
  const total = weights.reduce((a, b) => a + b, 0);
  // The fewest likeliest tokens that reach topP.
  let [count, mass] = [0, 0];
  while (count < weights.length && (count === 0 || mass < topP * total)) {
    mass += weights[count++];
  }
  let target = uniform * mass;
  for (let i = 0; i < count; i++) {
    target -= weights[i];
    if (target < 0) return candidates[i];
  }
  return candidates[count - 1];
}

/**
 * Continues a text, yielding tokens as they are made. Once the text is longer
 * than the context, its last tokens are seen only.
 *
 * @param prompt Token ids, at least one.
 * @throws {RangeError} If the prompt is empty or an option is out of range.
 *
 * @example
 * ```ts
 * import { generate, gptConfiguration, initializeGpt } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const configuration = gptConfiguration({ vocabulary: 256, width: 32, heads: 2, layers: 2 });
 * const parameters = initializeGpt(configuration, 0);
 * for await (const token of generate(configuration, parameters, [72], { count: 3 })) {
 *   console.log(token);
 * }
 * ```
 */
export async function* generate(
  configuration: GptConfiguration,
  parameters: GptParameters,
  prompt: ArrayLike<number>,
  options: GenerateOptions,
): AsyncGenerator<number, void, void> {
  validate(options, configuration.vocabulary);
  if (prompt.length === 0) {
    throw new RangeError("generate: the prompt needs at least one token");
  }
  const text = Array.from(prompt);
  const key = { seed: options.seed ?? 0, streams: [[0, 0, 0] as const] };
  let cache: KeyValueCache | undefined;
  // First token that is seen. It moves on by half a context at a time, so that
  // the cache is rebuilt once in a while and not for every token.
  let start = 0;
  try {
    for (let i = 0; i < options.count; i++) {
      if (text.length - start > configuration.context) {
        start = text.length - Math.ceil(configuration.context / 2);
        if (cache !== undefined) disposeCache(cache);
        cache = undefined;
      }
      const seen = cache === undefined ? text.slice(start) : text.slice(-1);
      if (options.cache !== false) {
        cache ??= emptyCache(configuration, parameters);
      }
      const logits = await lastLogits(configuration, parameters, seen, cache);
      if (cache !== undefined) cache.length += seen.length;
      const token = sampleToken(logits, randomUnit(key, 0, i), options);
      text.push(token);
      yield token;
    }
  } finally {
    if (cache !== undefined) disposeCache(cache);
  }
}

function emptyCache(
  { context, width, heads, layers, before, after }: GptConfiguration,
  parameters: GptParameters,
): KeyValueCache {
  const { device } = parameters.open.tokens;
  const shape = [1, heads, context, width / heads];
  return {
    length: 0,
    layers: Array.from({ length: before + layers + after }, () => ({
      keys: zeros(shape, { device }),
      values: zeros(shape, { device }),
    })),
  };
}

function disposeCache(cache: KeyValueCache): void {
  dispose(cache.layers.map(({ keys, values }) => [keys, values]));
}

/** Logits of all tokens of the vocabulary after the last token. */
async function lastLogits(
  configuration: GptConfiguration,
  parameters: GptParameters,
  tokens: readonly number[],
  cache: KeyValueCache | undefined,
): Promise<ArrayLike<number>> {
  using last = evaluate(() => {
    const ids = tensor([tokens], { dtype: "i32" });
    const logits = gptLogits(configuration, parameters, ids, {}, cache);
    const last = slice(logits, [undefined, [-1, tokens.length]]);
    return select(select(last, 0, 0), 0, 0);
  });
  return await last.data();
}
