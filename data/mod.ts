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
export type { BertNormalization } from "./bert_words.ts";
export {
  type WordPieceJson,
  type WordPieceTokenizer,
  wordPieceTokenizer,
} from "./word_piece_tokenizer.ts";
export {
  formatWordPieceVocabulary,
  parseWordPieceVocabulary,
  type WordPieceFileOptions,
} from "./word_piece_files.ts";
export {
  trainWordPiece,
  type WordPieceOptions,
} from "./word_piece_training.ts";
export type { NormalizationStep } from "./text_normalization.ts";
export {
  type UnigramJson,
  type UnigramTokenizer,
  unigramTokenizer,
} from "./unigram_tokenizer.ts";
export { trainUnigram, type UnigramOptions } from "./unigram_training.ts";
export { parseHuggingFaceTokenizer } from "./hugging_face_tokenizer.ts";
export { loadTokenizer } from "./load_tokenizer.ts";
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
export { type Line, lineError, type LinePlace, readLines } from "./lines.ts";
export {
  type ExampleSampler,
  exampleSampler,
  type ExampleSamplerOptions,
} from "./example_sampler.ts";
export { examplesByLength } from "./examples_by_length.ts";
export type { TaggedSentence } from "./tagged_sentence.ts";
export {
  type LabelledText,
  type LabelledTextOptions,
  readLabelledTexts,
} from "./labelled_text.ts";
export type { ColumnOptions } from "./labelled_columns.ts";
export {
  encodeLabelled,
  encodeRow,
  type LabelledBatch,
  labelledBatch,
  type LabelledExamples,
  type LabelledSplit,
  type RowLayout,
  splitLabelled,
  type TextRow,
} from "./labelled_examples.ts";
export type { SentencePair } from "./sentence_pair.ts";
export {
  englishNumber,
  germanNumber,
  type NumberWordOptions,
  numberWordPair,
  type NumberWordPairs,
  numberWordPairs,
  numberWordsEnd,
} from "./number_words.ts";
export { type ConlluColumn, readConllu } from "./conllu.ts";
export { readWordTags } from "./word_tag.ts";
export { readTaggedCorpus } from "./tagged_corpus.ts";
export { readTypescriptTokens } from "./typescript_tokens.ts";
export {
  type TypescriptClass,
  typescriptClasses,
} from "./typescript_classes.ts";
export { readCommentOrCode } from "./comment_or_code.ts";
export {
  ignoredLabel,
  type MaskedTokens,
  type MaskingOptions,
  maskTokens,
} from "./masking.ts";
export {
  featuresPerWord,
  wordFeatures,
  wordParts,
  wordShape,
} from "./word_features.ts";
export { readParallelText } from "./parallel_text.ts";
export { readPairTable } from "./pair_table.ts";
export {
  parseGettextCatalogue,
  readGettextCatalogues,
} from "./gettext_catalogue.ts";
export {
  type ImageSet,
  type ImageSplit,
  joinImages,
  requireLike,
  sliceImages,
  splitImages,
} from "./image_set.ts";
export { type OpenedImages, openImages } from "./open_images.ts";
export {
  type DrawnDigit,
  drawnDigit,
  drawnDigits,
  drawnDigitSide,
  type DrawnDigitsOptions,
} from "./drawn_digits.ts";
export { type IdxArray, parseIdx, readIdxImages } from "./idx.ts";
export { cifar10Classes, parseCifar10, readCifar10 } from "./cifar10.ts";
export { readImageFolder, readPicture } from "./image_folder.ts";
export {
  type ImageBatch,
  imageBatch,
  type PixelScale,
  pixelScale,
  type Shift,
} from "./image_batch.ts";
export type { Picture } from "./picture.ts";
export { parsePng } from "./png.ts";
export { parsePortablePixmap } from "./portable_pixmap.ts";
export {
  encodeTagged,
  type EncodeTaggedOptions,
  sliceTagged,
  type TaggedBatch,
  taggedBatch,
  type TaggedExamples,
  type WordDropout,
} from "./tagged_examples.ts";
export {
  encodePairs,
  type EncodePairsOptions,
  type PairBatch,
  pairBatch,
  type PairExamples,
  type SentenceTokens,
  sentenceTokens,
} from "./pair_examples.ts";
export {
  encodeTaggedPieces,
  type PieceBatch,
  pieceBatch,
  type PieceRow,
  type TaggedPieces,
} from "./tagged_pieces.ts";
