/**
 * How BERT cuts a text into words, its "basic tokenizer" (Devlin et al. 2019;
 * as Hugging Face's `BertNormalizer` and `BertPreTokenizer` do it).
 *
 * @module
 */

/** What happens to the characters of a text before it is cut into words. */
export interface BertNormalization {
  /**
   * Whether control, format and private characters and U+FFFD are
   * dropped.
   */
  readonly clean: boolean;
  /** Whether each Chinese character becomes a word of its own. */
  readonly chinese: boolean;
  /** Whether accents are taken off letters. */
  readonly stripAccents: boolean;
  /** Whether letters become lower case. */
  readonly lowercase: boolean;
}

// BERT counts every ASCII sign as punctuation, those too that Unicode doesn't.
const sign = String.raw`\p{P}$+<=>^${"`"}|~`;
const space = String.raw`\t\n\r\p{Z}`;
// Blocks of Chinese characters; those of Japanese and Korean letters aren't.
const chinese =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

const words = new RegExp(`[${sign}]|[^${space}${sign}]+`, "gu");
const dropped = /(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\ufffd]/gu;

/**
 * The words of a text as they are written, to be normalised one by one: runs
 * without white space, and signs one by one.
 */
export function rawWordsOf(text: string): readonly string[] {
  return text.toWellFormed().match(words) ?? [];
}

/**
 * The words that a raw word becomes: none if all of it is dropped, several if
 * signs or Chinese characters come to light in it.
 */
export function normalizeWord(
  word: string,
  normalization: BertNormalization,
): readonly string[] {
  if (normalization.clean) word = word.replace(dropped, "");
  if (normalization.chinese) word = word.replace(chinese, " $& ");
  if (normalization.stripAccents) {
    word = word.normalize("NFD").replace(/\p{Mn}/gu, "");
  }
  // Letter by letter: a sigma is the same at the end of a word.
  if (normalization.lowercase) word = word.replaceAll("Σ", "σ").toLowerCase();
  return word.match(words) ?? [];
}
