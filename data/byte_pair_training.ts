import { byteCharacters } from "./byte_alphabet.ts";
import { bytePairTokenizer } from "./byte_pair_tokenizer.ts";
import type { BytePairTokenizer } from "./byte_pair_tokenizer.ts";
import { learnMerges, type Word } from "./merge_training.ts";
import { countPieces, pieceBytes, piecesOf } from "./pieces.ts";
import type { TextChunks } from "./tokenizer.ts";

/** What `trainBytePairEncoding` is told. */
export interface BytePairOptions {
  /** The number of ids wanted: 256 for the bytes, the others for merges. */
  readonly vocabularySize: number;
}

/**
 * Learns a byte-pair encoding from a text (Sennrich et al. 2016): again and
 * again the most frequent pair of neighbours in a piece becomes a token. Of
 * equally frequent pairs the one with the smaller left id, then the smaller
 * right id, comes first, so the same text always gives the same tokenizer.
 * The ids 0 to 255 are the bytes.
 *
 * The vocabulary is smaller than asked for when no pair occurs twice any more.
 *
 * @throws {RangeError} If `vocabularySize` isn't an integer of 256 or more.
 */
export async function trainBytePairEncoding(
  text: TextChunks,
  options: BytePairOptions,
): Promise<BytePairTokenizer> {
  const { vocabularySize } = options;
  if (!Number.isInteger(vocabularySize) || vocabularySize < 256) {
    throw new RangeError(
      `trainBytePairEncoding: vocabularySize ${vocabularySize}: expected an integer of at least 256, one id for each byte`,
    );
  }
  const words: Word[] = [];
  for (const [piece, count] of await countPieces(text, piecesOf)) {
    words.push({ ids: Int32Array.from(pieceBytes(piece)), count });
  }
  const tokens = [...byteCharacters];
  const merges: string[] = [];
  for (const { left, right } of learnMerges(words, 256, vocabularySize)) {
    merges.push(`${tokens[left]} ${tokens[right]}`);
    tokens.push(tokens[left] + tokens[right]);
  }
  const vocabulary = Object.fromEntries(tokens.map((token, id) => [token, id]));
  return bytePairTokenizer({ vocabulary, merges });
}
