import { CorpusError } from "./corpus_error.ts";

/** Guesses a byte from those to the left, above, and above to the left. */
type Guess = (left: number, above: number, corner: number) => number;

/** PNG's types of filters, by number. */
const guesses: readonly Guess[] = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  paeth,
];

/** Of three neighbours the one next to left + above − corner (Paeth 1991). */
function paeth(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/**
 * Undoes PNG's filters: rows of a filter's number and `rowBytes` bytes become
 * rows of bytes.
 *
 * @param pixelBytes How far to the left the neighbour of a byte is, ≥ 1.
 * @param name How errors call the image.
 * @throws {CorpusError} If there is no such filter.
 */
export function unfilter(
  packed: Uint8Array,
  rowBytes: number,
  pixelBytes: number,
  name: string,
): Uint8Array {
  const height = packed.length / (1 + rowBytes);
  const rows = new Uint8Array(height * rowBytes);
  for (let row = 0; row < height; row++) {
    const from = row * (1 + rowBytes);
    const guess = guesses[packed[from]];
    if (guess === undefined) {
      throw new CorpusError(
        `${name}: row ${row} has filter ${packed[from]}; expected 0 … 4`,
      );
    }
    const to = row * rowBytes;
    const above = to - rowBytes;
    for (let column = 0; column < rowBytes; column++) {
      const inside = column >= pixelBytes;
      rows[to + column] = packed[from + 1 + column] + guess(
        inside ? rows[to + column - pixelBytes] : 0,
        row > 0 ? rows[above + column] : 0,
        inside && row > 0 ? rows[above + column - pixelBytes] : 0,
      );
    }
  }
  return rows;
}
