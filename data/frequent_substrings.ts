/** A text and how often it occurs. */
export interface CountedText {
  /** The text. */
  readonly text: string;
  /** How often it occurs. */
  readonly count: number;
}

/** Which substrings are wanted. */
export interface SubstringLimits {
  /** The most UTF-16 units of a substring. */
  readonly longest: number;
  /** The most substrings. */
  readonly most: number;
}

/**
 * Substrings of two units or more that occur at least twice, those first that
 * cover most of the text (occurrences times length). Of substrings that occur
 * at the same places only the longest is there.
 *
 * They are the words themselves and the inner nodes of their suffix tree, found with a suffix array
 * (Manber and Myers 1993) and the common prefixes of its neighbours (Abouelhoda
 * et al. 2004), in O(n log n · longest) for n units.
 *
 * @param words Distinct words without U+0000.
 */
export function frequentSubstrings(
  words: readonly CountedText[],
  limits: SubstringLimits,
): readonly CountedText[] {
  const { units, counts } = concatenate(words);
  const suffixes = sortedSuffixes(units, limits.longest);
  const counted = new Map<string, number>();
  for (
    const { place, length, count } of repeats(units, counts, suffixes, limits)
  ) {
    // A character of two units isn't cut in half.
    const whole = isHighSurrogate(units[place + length - 1])
      ? length - 1
      : length;
    if (whole < 2 || count < 2) continue;
    const text = String.fromCharCode(...units.subarray(place, place + whole));
    if (!counted.has(text)) counted.set(text, count);
  }
  for (const { text, count } of words) {
    const fits = text.length >= 2 && text.length <= limits.longest;
    if (fits && count >= 2 && !counted.has(text)) counted.set(text, count);
  }
  return [...counted]
    .map(([text, count]) => ({ text, count }))
    .sort((a, b) =>
      b.count * b.text.length - a.count * a.text.length ||
      (a.text < b.text ? -1 : 1)
    )
    .slice(0, limits.most);
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

/** The words with a zero after each, and the count of the word at each place. */
function concatenate(
  words: readonly CountedText[],
): { units: Uint16Array; counts: Float64Array } {
  const length = words.reduce((sum, { text }) => sum + text.length + 1, 0);
  const units = new Uint16Array(length);
  const counts = new Float64Array(length);
  let place = 0;
  for (const { text, count } of words) {
    counts.fill(count, place, place + text.length);
    for (let i = 0; i < text.length; i++) units[place++] = text.charCodeAt(i);
    place++;
  }
  return { units, counts };
}

/** Where characters begin, ordered by the text from there to the word's end. */
function sortedSuffixes(units: Uint16Array, longest: number): Int32Array {
  const places: number[] = [];
  units.forEach((unit, place) => {
    const insideOne = unit >= 0xdc00 && unit < 0xe000;
    if (unit !== 0 && !insideOne) places.push(place);
  });
  return Int32Array.from(places).sort((a, b) => {
    const common = commonLength(units, a, b, longest);
    if (common === longest) return a - b;
    return units[a + common] - units[b + common] || a - b;
  });
}

/** How many units two suffixes have in common, inside their words. */
function commonLength(
  units: Uint16Array,
  a: number,
  b: number,
  longest: number,
): number {
  let common = 0;
  while (
    common < longest && units[a + common] === units[b + common] &&
    units[a + common] !== 0
  ) common++;
  return common;
}

interface Repeat {
  readonly place: number;
  readonly length: number;
  readonly count: number;
}

/** The intervals of the suffix array whose suffixes begin alike. */
function* repeats(
  units: Uint16Array,
  counts: Float64Array,
  suffixes: Int32Array,
  { longest }: SubstringLimits,
): Generator<Repeat> {
  const before = new Float64Array(suffixes.length + 1);
  suffixes.forEach((place, i) => before[i + 1] = before[i] + counts[place]);
  const open = [{ length: 0, first: 0 }];
  for (let i = 1; i <= suffixes.length; i++) {
    const common = i === suffixes.length
      ? 0
      : commonLength(units, suffixes[i - 1], suffixes[i], longest);
    let first = i - 1;
    while (open[open.length - 1].length > common) {
      const interval = open.pop();
      if (interval === undefined) break;
      ({ first } = interval);
      yield {
        place: suffixes[first],
        length: interval.length,
        count: before[i] - before[first],
      };
    }
    if (open[open.length - 1].length < common) {
      open.push({ length: common, first });
    }
  }
}
