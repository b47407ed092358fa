/**
 * Decoding a target token by token, many sentences and several translations of
 * each at once.
 *
 * @module
 */

import { solve } from "../mgrit/mod.ts";
import {
  dispose,
  mapTree,
  reshape,
  scope,
  select,
  take,
  type Tensor,
  tensor,
  withoutScope,
  zeros,
} from "../tensor/internal.ts";
import { type MemoryKeys, memoryKeys } from "./decoder_layer.ts";
import {
  decoderLogits,
  embedTokens,
  type EncoderDecoderConfiguration,
  encoderDecoderLogits,
  type EncoderDecoderParameters,
  solvedDecoder,
} from "./encoder_decoder.ts";
import { decoderBlock, encoderBlock } from "./encoder_decoder_block.ts";
import type { KeyValueCache } from "./sublayers.ts";

/** Token ids. */
export type Tokens = ArrayLike<number>;

/**
 * What a search asks of a network. Its rows are prefixes of targets; rows of one
 * sentence are neighbours, and each sentence has equally many.
 */
export interface StepDecoder extends Disposable {
  /**
   * Logits `[rows, vocabulary]` of the token after each prefix; prefixes are of
   * one length, one token longer at each call.
   */
  readonly next: (prefixes: readonly Tokens[]) => Tensor;
  /** Goes on with these rows, possibly repeated, and with these sentences. */
  readonly select: (
    rows: readonly number[],
    sentences: readonly number[],
  ) => void;
}

/** Sentences as one tensor i32 `[B, S]`, and which tokens they are of, if some are shorter. */
function padded(
  sentences: readonly Tokens[],
  padding: number,
): { tokens: Tensor; keep: Tensor | undefined } {
  const length = Math.max(...sentences.map((tokens) => tokens.length));
  const shape = [sentences.length, length];
  const ids = new Int32Array(sentences.length * length).fill(padding);
  const kept = new Array<boolean>(ids.length).fill(false);
  sentences.forEach((tokens, row) => {
    ids.set(Array.from(tokens), row * length);
    kept.fill(true, row * length, row * length + tokens.length);
  });
  return {
    tokens: tensor(ids, { shape }),
    keep: kept.includes(false) ? reshape(tensor(kept), shape) : undefined,
  };
}

/** Computes all positions at every step: slow, and nothing is kept. */
export function wholeDecoder(
  configuration: EncoderDecoderConfiguration,
  parameters: EncoderDecoderParameters,
  sources: readonly Tokens[],
): StepDecoder {
  let sentences = sources;
  return {
    next: (prefixes) =>
      scope(() => {
        const each = prefixes.length / sentences.length;
        const source = padded(
          prefixes.map((_, row) => sentences[Math.floor(row / each)]),
          configuration.padding,
        );
        const { tokens: target } = padded(prefixes, configuration.padding);
        const logits = encoderDecoderLogits(configuration, parameters, {
          source: source.tokens,
          sourceKeep: source.keep,
          target,
        });
        return select(logits, 1, target.shape[1] - 1);
      }),
    select: (_, kept) => {
      sentences = kept.map((sentence) => sentences[sentence]);
    },
    [Symbol.dispose]: () => {},
  };
}

/**
 * Keeps keys and values of earlier positions, and those of the encoder's states,
 * which are computed once.
 *
 * @param maximum Positions that there will be at most.
 */
export function cachedDecoder(
  configuration: EncoderDecoderConfiguration,
  parameters: EncoderDecoderParameters,
  sources: readonly Tokens[],
  maximum: number,
): StepDecoder {
  const { heads, epsilon, activation, width, decoderLayers } = configuration;
  const context = { heads, epsilon, activation, firstLayer: 0 };
  const block = decoderBlock(configuration);
  let { memory, keep } = withoutScope(() =>
    scope(() => encode(configuration, parameters, sources))
  );
  const shape = [sources.length, heads, maximum, width / heads];
  const { device } = parameters.open.tokens;
  let cache: KeyValueCache = {
    length: 0,
    layers: withoutScope(() =>
      Array.from({ length: decoderLayers }, () => ({
        keys: zeros(shape, { device }),
        values: zeros(shape, { device }),
      }))
    ),
  };
  return {
    next: (prefixes) =>
      scope(() => {
        const last = prefixes.map((tokens) => [tokens[tokens.length - 1]]);
        const ids = tensor(last, { dtype: "i32" });
        const x = embedTokens(configuration, parameters, ids, cache.length);
        const states = solve(block, x, parameters.block.decoder, {
          ...context,
          causal: true,
          cache,
          memory,
          memoryKeep: keep,
        });
        cache.length++;
        return decoderLogits(configuration, parameters, select(states, 1, 0));
      }),
    select: (rows, sentences) => {
      cache = { ...cache, layers: chosenKeys(cache.layers, rows) };
      memory = chosenKeys(memory, sentences);
      keep = keep && chosen(keep, sentences);
    },
    [Symbol.dispose]: () => {
      for (const { keys, values } of [...cache.layers, ...memory]) {
        dispose([keys, values]);
      }
      keep?.dispose();
    },
  };
}

/** Keys and values of some rows, in place of those of all. */
function chosenKeys(
  layers: readonly MemoryKeys[],
  rows: readonly number[],
): MemoryKeys[] {
  return layers.map(({ keys, values }) => ({
    keys: chosen(keys, rows),
    values: chosen(values, rows),
  }));
}

/** Some rows of a tensor, which is freed if they aren't all in order. */
function chosen(x: Tensor, rows: readonly number[]): Tensor {
  if (rows.length === x.shape[0] && rows.every((row, i) => row === i)) return x;
  const taken = withoutScope(() =>
    scope(() => take(x, tensor([...rows], { dtype: "i32" })))
  );
  x.dispose();
  return taken;
}

/** The encoder's states, as each decoder layer attends them. */
function encode(
  configuration: EncoderDecoderConfiguration,
  parameters: EncoderDecoderParameters,
  sources: readonly Tokens[],
): { memory: readonly MemoryKeys[]; keep: Tensor | undefined } {
  const { heads, epsilon, activation, padding } = configuration;
  const { tokens, keep } = padded(sources, padding);
  const context = { heads, epsilon, activation, firstLayer: 0 };
  const states = solve(
    encoderBlock(configuration),
    embedTokens(configuration, parameters, tokens),
    parameters.block.encoder,
    { ...context, causal: false, keep },
  );
  const layers = solvedDecoder(configuration, parameters);
  const memory = Array.from(
    { length: configuration.decoderLayers },
    (_, n) =>
      memoryKeys(
        states,
        mapTree((leaf) => select(leaf, 0, n), layers),
        context,
      ),
  );
  return { memory, keep };
}
