import { byteCharacters, bytesOfToken } from "./byte_alphabet.ts";
import { byteDecoder } from "./byte_decoder.ts";
import { applyMerges, type Merges } from "./byte_pair_merges.ts";
import { pieceBytes, piecesOf, remembered } from "./pieces.ts";
import { specialTokenCutter } from "./special_tokens.ts";
import { checkId, type EncodeOptions, type Tokenizer } from "./tokenizer.ts";

/** A byte-pair tokenizer as plain data: `vocab.json` and `merges.txt`. */
export interface BytePairJson {
  /** Says which kind of tokenizer this is. */
  readonly kind: "byte-pair";
  /** The id of each token, written in GPT-2's alphabet for bytes. */
  readonly vocabulary: Readonly<Record<string, number>>;
  /** The merges by rank: two tokens with a space between them. */
  readonly merges: readonly string[];
}

/** A tokenizer that merges pairs of bytes, and pairs of what that gives. */
export interface BytePairTokenizer extends Tokenizer {
  /** See {@linkcode Tokenizer}. */
  toJSON(): BytePairJson;
}

// Rank and position of a merge share one double (byte_pair_merges.ts).
const largestVocabulary = 2 ** 21;
/**
 * The tokenizer of GPT-2 (Radford et al. 2019): byte-level byte-pair encoding.
 * Text is cut into pieces by GPT-2's pattern, and each piece, in bytes, is
 * merged by rank. A token that is neither a byte nor the result of a merge is
 * a special token.
 *
 * @throws {RangeError} If the ids aren't 0 to n - 1, a byte has no token, or
 * a merge names a token that isn't there.
 */
export function bytePairTokenizer(
  json: Omit<BytePairJson, "kind">,
): BytePairTokenizer {
  const idOf = new Map(Object.entries(json.vocabulary));
  const size = idOf.size;
  checkVocabulary(idOf);
  const byteIds = Int32Array.from(byteCharacters, (character, byte) => {
    const id = idOf.get(character);
    if (id !== undefined) return id;
    throw new RangeError(
      `bytePairTokenizer: the vocabulary has no token for byte ${byte} (${
        JSON.stringify(character)
      })`,
    );
  });
  const merges = mergesOfIds(json.merges, idOf);
  const ordinary = new Set([...byteIds, ...merges.results]);
  const special = new Map([...idOf].filter(([, id]) => !ordinary.has(id)));
  const cutSpecial = specialTokenCutter(special);
  const { bytes, starts } = bytesOfIds(idOf, special);

  const encodePiece = remembered((piece) => {
    const utf8 = pieceBytes(piece);
    const bytes = new Int32Array(utf8.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = byteIds[utf8[i]];
    return applyMerges(bytes, merges).slice();
  });

  return {
    name: "byte-pair",
    vocabularySize: size,
    special,
    encode: (text: string, options: EncodeOptions = {}) => {
      const ids: number[] = [];
      for (const part of options.special ? cutSpecial(text) : [text]) {
        if (typeof part === "number") {
          ids.push(part);
          continue;
        }
        for (const piece of piecesOf(part)) {
          const encoded = encodePiece(piece);
          for (let i = 0; i < encoded.length; i++) ids.push(encoded[i]);
        }
      }
      return Int32Array.from(ids);
    },
    ...byteDecoder((id) => {
      checkId("byte-pair", id, size);
      return bytes.subarray(starts[id], starts[id + 1]);
    }),
    toJSON: () => ({ kind: "byte-pair", ...json }),
  };
}

function checkVocabulary(idOf: ReadonlyMap<string, number>): void {
  const size = idOf.size;
  if (size > largestVocabulary) {
    throw new RangeError(
      `bytePairTokenizer: ${size} tokens: expected at most ${largestVocabulary}`,
    );
  }
  const seen = new Uint8Array(size);
  for (const [token, id] of idOf) {
    if (!Number.isInteger(id) || id < 0 || id >= size || seen[id] === 1) {
      throw new RangeError(
        `bytePairTokenizer: token ${JSON.stringify(token)} has the id ${
          JSON.stringify(id)
        }: expected each integer from 0 to ${size - 1} once`,
      );
    }
    seen[id] = 1;
  }
}

/** The merges in terms of ids. */
function mergesOfIds(
  lines: readonly string[],
  idOf: ReadonlyMap<string, number>,
): Merges {
  const size = idOf.size;
  const ranks = new Map<number, number>();
  const results = Int32Array.from(lines, (line, rank) => {
    const [left, right, ...rest] = line.split(" ");
    const leftId = idOf.get(left);
    const rightId = idOf.get(right);
    const result = idOf.get(left + right);
    if (
      leftId === undefined || rightId === undefined || result === undefined ||
      rest.length > 0
    ) {
      throw new RangeError(
        `bytePairTokenizer: merge ${rank}, ${
          JSON.stringify(line)
        }: expected two tokens of the vocabulary with a space between them, whose concatenation is a token too`,
      );
    }
    const pair = leftId * size + rightId;
    if (!ranks.has(pair)) ranks.set(pair, rank);
    return result;
  });
  return { size, ranks, results };
}

/** The bytes of all tokens, one after the other, and where each starts. */
function bytesOfIds(
  idOf: ReadonlyMap<string, number>,
  special: ReadonlyMap<string, number>,
): { bytes: Uint8Array<ArrayBuffer>; starts: Int32Array } {
  const tokens: Uint8Array[] = [];
  for (const [token, id] of idOf) {
    tokens[id] = special.has(token) ? pieceBytes(token) : bytesOfToken(token);
  }
  const starts = new Int32Array(tokens.length + 1);
  tokens.forEach((token, id) => starts[id + 1] = starts[id] + token.length);
  const bytes = new Uint8Array(starts[tokens.length]);
  tokens.forEach((token, id) => bytes.set(token, starts[id]));
  return { bytes, starts };
}
