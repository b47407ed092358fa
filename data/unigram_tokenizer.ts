import { byteDecoder } from "./byte_decoder.ts";
import { nothing } from "./piece_trie.ts";
import { pieceBytes, piecesOf, remembered } from "./pieces.ts";
import { neededTokens, specialTokenCutter } from "./special_tokens.ts";
import {
  type NormalizationStep,
  textNormalizer,
} from "./text_normalization.ts";
import {
  checkId,
  type EncodeOptions,
  type StreamingDecoder,
  type Tokenizer,
} from "./tokenizer.ts";
import { likeliestSegmentation, scoredPieces } from "./unigram_lattice.ts";

/** A unigram tokenizer as plain data. */
export interface UnigramJson {
  /** Says which kind of tokenizer this is. */
  readonly kind: "unigram";
  /** The tokens in the order of their ids; `▁` (U+2581) stands for a space. */
  readonly vocabulary: readonly string[];
  /** The logarithms of their probabilities. */
  readonly scores: readonly number[];
  /** The special tokens. */
  readonly special: readonly string[];
  /** The token of characters that no piece covers. */
  readonly unknown: string;
  /**
   * Whether such characters become bytes instead: tokens `<0x00>` to `<0xFF>`.
   */
  readonly bytes: boolean;
  /** What happens to a text before it is cut. */
  readonly normalization: readonly NormalizationStep[];
  /**
   * Where pieces end in any case: at the `words` of GPT-2's pattern, or only
   * before `spaces`, each by itself, as in SentencePiece, and around other white
   * space.
   */
  readonly cut: "words" | "spaces";
  /** Whether a text that doesn't begin with white space gets a space first. */
  readonly prefix: boolean;
}

/** A tokenizer that finds the likeliest pieces of a text. */
export interface UnigramTokenizer extends Tokenizer {
  /** See {@linkcode Tokenizer}. */
  toJSON(): UnigramJson;
}

/** The special tokens of a trained vocabulary, in the order of their ids. */
export const unigramSpecial: readonly string[] = [
  "<pad>",
  "</s>",
  "<unk>",
  "<s>",
];

/** What stands for a space in a piece. */
export const spaceMark = "\u2581";

/** The token of a byte: `<0x00>` to `<0xFF>`. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

// SentencePiece's penalty for a character that isn't in the vocabulary.
const unknownPenalty = 10;
const segments = new RegExp(
  `${spaceMark}?[^${spaceMark}\\p{White_Space}]+|${spaceMark}|[^${spaceMark}\\P{White_Space}]+`,
  "gu",
);

/**
 * The unigram language model tokenizer (Kudo 2018; SentencePiece): each piece
 * has a probability, and of all ways to put a text together from pieces the
 * likeliest one counts. Pieces don't reach over the cuts that `cut` names.
 *
 * `decode(encode(text))` is the normalised text, but for characters that are
 * unknown, the character `▁`, which comes back as a space, and, with `prefix`, a
 * space that the text began with.
 *
 * @throws {RangeError} If a token is there twice or a needed one is missing.
 * @throws {SyntaxError} If a pattern of the normalisation isn't one.
 */
export function unigramTokenizer(
  json: Omit<UnigramJson, "kind">,
): UnigramTokenizer {
  const { vocabulary, prefix } = json;
  const idOf = vocabularyIds(json);
  const requireId = neededTokens("unigramTokenizer", idOf);
  const unknownId = requireId(json.unknown);
  const special = new Map(json.special.map((text) => [text, requireId(text)]));
  const byteIds = json.bytes
    ? Array.from({ length: 256 }, (_, byte) => requireId(byteToken(byte)))
    : undefined;

  const ordinary = vocabulary.slice();
  const bytesOf = vocabulary.map((token) =>
    pieceBytes(token.replaceAll(spaceMark, " "))
  );
  for (const id of [unknownId, ...special.values()]) {
    ordinary[id] = "";
    bytesOf[id] = pieceBytes(vocabulary[id]);
  }
  byteIds?.forEach((id, byte) => {
    ordinary[id] = "";
    bytesOf[id] = Uint8Array.of(byte);
  });
  const pieces = scoredPieces(ordinary, json.scores);
  const unknownScore = json.scores.reduce((a, b) => Math.min(a, b), 0) -
    unknownPenalty;

  const encodeSegment = remembered((segment) => {
    const marked = segment.replaceAll(" ", spaceMark);
    const found = likeliestSegmentation(marked, pieces, unknownScore);
    const ids: number[] = [];
    found.pieces.forEach((piece, i) => {
      if (piece !== nothing) ids.push(piece);
      else if (byteIds !== undefined) {
        const text = marked.slice(found.ends[i - 1] ?? 0, found.ends[i]);
        for (const byte of pieceBytes(text.replaceAll(spaceMark, " "))) {
          ids.push(byteIds[byte]);
        }
        // One id for unknown characters in a row.
      } else if (found.pieces[i - 1] !== nothing) ids.push(unknownId);
    });
    return Int32Array.from(ids);
  });

  const normalize = textNormalizer(json.normalization);
  const cut = json.cut === "words" ? piecesOf : cutAtSpaces;
  const cutSpecial = specialTokenCutter(special);
  const { decode, decoder } = byteDecoder((id) => {
    checkId("unigram", id, vocabulary.length);
    return bytesOf[id];
  });

  return {
    name: "unigram",
    vocabularySize: vocabulary.length,
    special,
    encode: (text: string, options: EncodeOptions = {}) => {
      const ids: number[] = [];
      for (const part of options.special ? cutSpecial(text) : [text]) {
        if (typeof part === "number") {
          ids.push(part);
          continue;
        }
        let normal = normalize(part);
        if (prefix && /^[^\u2581\p{White_Space}]/u.test(normal)) {
          normal = ` ${normal}`;
        }
        for (const segment of cut(normal)) {
          const encoded = encodeSegment(segment);
          for (let i = 0; i < encoded.length; i++) ids.push(encoded[i]);
        }
      }
      return Int32Array.from(ids);
    },
    decode: (ids) => prefix ? decode(ids).replace(/^ /, "") : decode(ids),
    decoder: prefix ? () => withoutPrefix(decoder()) : decoder,
    toJSON: () => ({ kind: "unigram", ...json }),
  };
}

function vocabularyIds(
  { vocabulary, scores }: Omit<UnigramJson, "kind">,
): ReadonlyMap<string, number> {
  if (scores.length !== vocabulary.length) {
    throw new RangeError(
      `unigramTokenizer: ${vocabulary.length} tokens, but ${scores.length} scores: expected one for each`,
    );
  }
  const idOf = new Map(vocabulary.map((token, id) => [token, id]));
  vocabulary.forEach((token, id) => {
    const last = idOf.get(token);
    if (last === id) return;
    throw new RangeError(
      `unigramTokenizer: token ${
        JSON.stringify(token)
      } has the ids ${id} and ${last}: expected each token once`,
    );
  });
  return idOf;
}

/** A text cut before each space and around other white space. */
function cutAtSpaces(text: string): readonly string[] {
  return text.replaceAll(" ", spaceMark).match(segments) ?? [];
}

/** A decoder without the space that its text begins with. */
function withoutPrefix(decoder: StreamingDecoder): StreamingDecoder {
  let begun = false;
  const trim = (text: string): string => {
    if (begun || text === "") return text;
    begun = true;
    return text.replace(/^ /, "");
  };
  return {
    push: (id) => trim(decoder.push(id)),
    flush: () => trim(decoder.flush()),
  };
}
