/**
 * Text for training: tokenizers, corpora of any size, and batches of tokens.
 *
 * @example From text to batches
 * ```ts
 * import {
 *   batchSampler,
 *   splitTokens,
 *   textCorpus,
 *   tokenizeCorpus,
 *   trainBytePairEncoding,
 * } from "@layerbraid/layerbraid/data";
 *
 * const text = "to be, or not to be, that is the question. ".repeat(50);
 * const tokenizer = await trainBytePairEncoding(text, { vocabularySize: 280 });
 * console.log(tokenizer.decode(tokenizer.encode("to be"))); // to be
 *
 * using tokens = await tokenizeCorpus(textCorpus("Hamlet", text), tokenizer);
 * const { train } = splitTokens(tokens, 0.1);
 * const sampler = batchSampler(train, { batch: 4, sequence: 16, seed: 1 });
 * const { inputs, targets } = sampler.batch(0);
 * console.log(inputs.length, targets.length); // 64 64
 * ```
 *
 * @module
 */

export type {
  EncodeOptions,
  StreamingDecoder,
  TextChunks,
  Tokenizer,
} from "./tokenizer.ts";
export { byteTokenizer } from "./byte_tokenizer.ts";
export {
  type CharacterJson,
  type CharacterOptions,
  characterTokenizer,
  trainCharacterTokenizer,
} from "./character_tokenizer.ts";
export {
  type BytePairJson,
  type BytePairTokenizer,
  bytePairTokenizer,
} from "./byte_pair_tokenizer.ts";
export {
  type BytePairFiles,
  formatBytePairFiles,
  loadBytePairTokenizer,
  parseBytePairFiles,
} from "./byte_pair_files.ts";
export {
  type BytePairOptions,
  trainBytePairEncoding,
} from "./byte_pair_training.ts";
export {
  type ByteJson,
  tokenizerFromJson,
  type TokenizerJson,
} from "./tokenizer_json.ts";
export {
  type Corpus,
  type CorpusDocument,
  defaultCorpus,
  openCorpus,
  readText,
  textCorpus,
} from "./corpus.ts";
export { CorpusError } from "./corpus_error.ts";
export {
  sliceTokens,
  splitTokens,
  tokensInMemory,
  type TokenSource,
  type TokenSplit,
} from "./token_source.ts";
export {
  type CorpusTokens,
  tokenizeCorpus,
  type TokenizeOptions,
} from "./tokenize_corpus.ts";
export {
  type BatchSampler,
  batchSampler,
  type BatchShape,
  type SamplerOptions,
  type TokenBatch,
  validationBatches,
  type ValidationOptions,
} from "./batch_sampler.ts";
