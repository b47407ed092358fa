import type { BertNormalization } from "./bert_words.ts";
import { checkedBytePairs, isVocabulary } from "./byte_pair_files.ts";
import { CorpusError } from "./corpus_error.ts";
import {
  type NormalizationStep,
  textNormalizer,
} from "./text_normalization.ts";
import { JsonFields, shownJson } from "./json_fields.ts";
import { parseJsonText } from "./json_text.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { spaceMark, unigramTokenizer } from "./unigram_tokenizer.ts";
import { continuation, wordPieceTokenizer } from "./word_piece_tokenizer.ts";

/**
 * The tokenizer of a `tokenizer.json` of Hugging Face's library. Three models
 * are known, each in the form in which it is used:
 *
 * - `BPE` on bytes (`ByteLevel`), GPT-2's: without a normalizer or a prefix;
 * - `WordPiece`, BERT's: with `BertNormalizer` and `BertPreTokenizer`;
 * - `Unigram`: with `Metaspace`, alone or after `WhitespaceSplit`, and
 *   normalizers as SentencePiece's models have them.
 *
 * The texts of added tokens are the special tokens. Where a text gets a space in
 * front, one that begins with white space gets none, a line end included, so that
 * chunks of a text are encoded as the whole. `encode` gives the ids of a
 * text alone: what `post_processor`, `truncation` and `padding` would add or
 * take away is left to the caller.
 *
 * @param name The file, for error messages.
 * @throws {CorpusError} If the text isn't JSON, a field has a value that isn't
 * supported, or the ids aren't 0 to n - 1; names the field.
 */
export function parseHuggingFaceTokenizer(
  text: string,
  name = "tokenizer.json",
): Tokenizer {
  const file = new JsonFields(name, "", parseJsonText(name, text));
  const model = file.fields("model");
  try {
    switch (modelType(model)) {
      case "BPE":
        return bytePairs(file, model);
      case "WordPiece":
        return wordPieces(file, model);
      case "Unigram":
        return unigram(file, model);
      default:
        return model.fail("type", "expected BPE, WordPiece or Unigram");
    }
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError) {
      throw new CorpusError(`${name}: ${error.message}`);
    }
    throw error;
  }
}

/** The model's type; older files don't name it. */
function modelType(model: JsonFields): unknown {
  const type = model.get("type");
  if (type !== undefined) return type;
  if (Array.isArray(model.get("vocab"))) return "Unigram";
  return model.get("merges") === undefined ? "WordPiece" : "BPE";
}

/** An added token: its text and id. */
type AddedToken = readonly [text: string, id: number];

function addedTokens(file: JsonFields): readonly AddedToken[] {
  return file.list("added_tokens").map((token) => {
    const content = token.get("content");
    const id = token.get("id");
    if (typeof content !== "string" || content === "") {
      return token.fail("content", "expected the text of a token");
    }
    if (typeof id !== "number") return token.fail("id", "expected a number");
    return [content, id];
  });
}

/** The vocabulary of a model in the order of ids, added tokens included. */
function tokensById(
  model: JsonFields,
  entries: Iterable<AddedToken>,
  added: readonly AddedToken[],
): readonly string[] {
  const tokens = new Map<number, string>();
  for (const [token, id] of [...entries, ...added]) {
    const other = tokens.get(id);
    if (other !== undefined && other !== token) {
      return model.fail(
        "vocab",
        `the id ${id} stands for ${shownJson(other)} and for ${
          shownJson(token)
        }`,
      );
    }
    tokens.set(id, token);
  }
  return Array.from(
    { length: tokens.size },
    (_, id) =>
      tokens.get(id) ??
        model.fail(
          "vocab",
          `of its ${tokens.size} ids, ${id} is missing; expected each integer from 0 to ${
            tokens.size - 1
          } once`,
        ),
  );
}

/** The steps of a field that is one step, or a sequence of them. */
function steps(
  file: JsonFields,
  field: "normalizer" | "pre_tokenizer",
  members: "normalizers" | "pretokenizers",
): readonly JsonFields[] {
  if (file.get(field) === undefined) return [];
  const step = file.fields(field);
  return step.get("type") === "Sequence" ? step.list(members) : [step];
}

const cutters = (file: JsonFields): readonly JsonFields[] =>
  steps(file, "pre_tokenizer", "pretokenizers");
const normalizers = (file: JsonFields): readonly JsonFields[] =>
  steps(file, "normalizer", "normalizers");

function bytePairs(file: JsonFields, model: JsonFields): Tokenizer {
  const [cutter, ...others] = cutters(file);
  if (cutter?.get("type") !== "ByteLevel" || others.length > 0) {
    file.fail("pre_tokenizer", "expected ByteLevel alone, as in GPT-2's file");
  }
  cutter.oneOf("add_prefix_space", false);
  cutter.oneOf("use_regex", true, undefined);
  if (normalizers(file).length > 0) {
    file.fail("normalizer", "expected none with a BPE on bytes");
  }
  checkDecoder(file, "ByteLevel");
  model.oneOf("dropout", undefined, 0);
  model.oneOf("continuing_subword_prefix", undefined, "");
  model.oneOf("end_of_word_suffix", undefined, "");
  model.oneOf("byte_fallback", undefined, false);
  model.oneOf("ignore_merges", undefined, false);

  const vocabulary = model.get("vocab");
  if (!isVocabulary(vocabulary)) {
    return model.fail("vocab", "expected an object from token to id");
  }
  const tokens = tokensById(
    model,
    Object.entries(vocabulary),
    addedTokens(file),
  );
  const merges = model.get("merges");
  if (!Array.isArray(merges)) return model.fail("merges", "expected a list");
  return checkedBytePairs(
    {
      vocabulary: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: merges.map((merge: unknown) =>
        Array.isArray(merge) ? merge.join(" ") : String(merge)
      ),
    },
    file.name,
    (rank) => `${file.name}: model.merges[${rank}]`,
  );
}

function wordPieces(file: JsonFields, model: JsonFields): Tokenizer {
  const [cutter, ...others] = cutters(file);
  if (cutter?.get("type") !== "BertPreTokenizer" || others.length > 0) {
    file.fail("pre_tokenizer", "expected BertPreTokenizer");
  }
  checkDecoder(file, "WordPiece");
  model.oneOf("continuing_subword_prefix", undefined, continuation);
  const vocabulary = model.get("vocab");
  if (!isVocabulary(vocabulary)) {
    return model.fail("vocab", "expected an object from token to id");
  }
  const added = addedTokens(file);
  const unknown = model.get("unk_token") ?? "[UNK]";
  if (typeof unknown !== "string") {
    return model.fail("unk_token", "expected the text of a token");
  }
  return wordPieceTokenizer({
    vocabulary: tokensById(model, Object.entries(vocabulary), added),
    special: added.map(([text]) => text),
    unknown,
    normalization: bertNormalizer(file),
    longestWord: Number(model.get("max_input_chars_per_word") ?? 100),
  });
}

function bertNormalizer(file: JsonFields): BertNormalization {
  const [normalizer, ...others] = normalizers(file);
  if (normalizer?.get("type") !== "BertNormalizer" || others.length > 0) {
    file.fail("normalizer", "expected BertNormalizer");
  }
  const flag = (field: string, missing: boolean): boolean =>
    normalizer.oneOf(field, true, false, undefined) ?? missing;
  const lowercase = flag("lowercase", true);
  return {
    clean: flag("clean_text", true),
    chinese: flag("handle_chinese_chars", true),
    stripAccents: flag("strip_accents", lowercase),
    lowercase,
  };
}

function unigram(file: JsonFields, model: JsonFields): Tokenizer {
  const pairs = model.get("vocab");
  if (!isScored(pairs)) {
    return model.fail("vocab", "expected a list of pairs of token and score");
  }
  const added = addedTokens(file);
  const vocabulary = tokensById(
    model,
    pairs.map(([token], id) => [token, id] as const),
    added,
  );
  const unknown = pairs[Number(model.get("unk_id") ?? NaN)]?.[0] ??
    model.fail("unk_id", "expected the id of a token");
  const { afterwards, prefix } = spaces(file);
  const normalization = [
    ...normalizers(file).map(normalizationStep),
    ...afterwards,
  ];
  textNormalizer(normalization);
  checkDecoder(file, "Metaspace");
  return unigramTokenizer({
    vocabulary,
    scores: vocabulary.map((_, id) => pairs[id]?.[1] ?? 0),
    special: added.map(([text]) => text),
    unknown,
    bytes: model.oneOf("byte_fallback", true, false, undefined) ?? false,
    normalization,
    cut: "spaces",
    prefix,
  });
}

function isScored(
  value: unknown,
): value is readonly (readonly [string, number])[] {
  return Array.isArray(value) &&
    value.every((pair) =>
      Array.isArray(pair) && typeof pair[0] === "string" &&
      typeof pair[1] === "number"
    );
}

/** What the pre-tokenizer does to spaces, and whether one comes first. */
function spaces(
  file: JsonFields,
): { afterwards: readonly NormalizationStep[]; prefix: boolean } {
  const list = cutters(file);
  const splits = list[0]?.get("type") === "WhitespaceSplit";
  const [metaspace, ...others] = splits ? list.slice(1) : list;
  if (metaspace?.get("type") !== "Metaspace" || others.length > 0) {
    file.fail(
      "pre_tokenizer",
      "expected Metaspace, alone or after WhitespaceSplit",
    );
  }
  metaspace.oneOf("replacement", spaceMark, undefined);
  metaspace.oneOf("split", true, undefined);
  const scheme = metaspace.oneOf(
    "prepend_scheme",
    "always",
    "never",
    undefined,
  );
  const prefix = scheme === undefined
    ? metaspace.oneOf("add_prefix_space", true, false, undefined) ?? true
    : scheme === "always";
  if (!splits) return { afterwards: [], prefix };
  if (!prefix) {
    file.fail("pre_tokenizer", "expected Metaspace to put a space first");
  }
  // Words without the white space between them, each with a space before it.
  const afterwards: readonly NormalizationStep[] = [
    { type: "Strip", strip_left: true, strip_right: true },
    {
      type: "Replace",
      pattern: { Regex: "\\p{White_Space}+" },
      content: " ",
    },
    {
      type: "Replace",
      pattern: { String: ` ${spaceMark}` },
      content: spaceMark,
    },
  ];
  return { afterwards, prefix };
}

function normalizationStep(step: JsonFields): NormalizationStep {
  const type = step.get("type");
  switch (type) {
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
    case "Lowercase":
    case "StripAccents":
    case "Nmt":
      return { type };
    case "Strip":
      return {
        type,
        strip_left: step.oneOf("strip_left", true, false),
        strip_right: step.oneOf("strip_right", true, false),
      };
    case "Replace": {
      const content = step.get("content") ?? "";
      if (typeof content !== "string") {
        return step.fail("content", "expected a text");
      }
      const pattern = step.fields("pattern");
      const plain = pattern.get("String");
      if (typeof plain === "string") {
        return { type, pattern: { String: plain }, content };
      }
      const regex = pattern.get("Regex");
      if (typeof regex === "string") {
        return { type, pattern: { Regex: regex }, content };
      }
      return step.fail("pattern", "expected a String or a Regex");
    }
    case "Precompiled": {
      const table = step.get("precompiled_charsmap");
      return typeof table === "string"
        ? { type, precompiled_charsmap: table }
        : step.fail("precompiled_charsmap", "expected a table in base64");
    }
    default:
      return step.fail(
        "type",
        "expected NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Nmt, Strip, Replace or Precompiled",
      );
  }
}

/** The decoder must be the model's own, alone or in a sequence. */
function checkDecoder(file: JsonFields, type: string): void {
  if (file.get("decoder") === undefined) return;
  const decoder = file.fields("decoder");
  const list = decoder.get("type") === "Sequence"
    ? decoder.list("decoders")
    : [decoder];
  if (!list.some((step) => step.get("type") === type)) {
    file.fail("decoder", `expected ${type}`);
  }
}
