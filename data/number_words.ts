import { hashBelow, shuffled } from "./random.ts";
import type { SentencePair } from "./sentence_pair.ts";

/** Numbers from 0 up to this one, which is left out, have words here. */
export const numberWordsEnd = 1_000_000;

const english = {
  small: [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
  ],
  tens: [
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
  ],
};

/**
 * A number in English words, the American way, without "and":
 * "one hundred one thousand two hundred thirty-four".
 *
 * @throws {RangeError} If it isn't an integer of 0 … 999,999.
 */
export function englishNumber(number: number): string {
  checkNumber("englishNumber", number);
  const { small, tens } = english;
  const belowHundred = (value: number): string => {
    if (value < 20) return small[value];
    const ten = tens[Math.floor(value / 10) - 2];
    return value % 10 === 0 ? ten : `${ten}-${small[value % 10]}`;
  };
  const belowThousand = (value: number): string[] => [
    ...(value < 100 ? [] : [small[Math.floor(value / 100)], "hundred"]),
    ...(value % 100 === 0 ? [] : [belowHundred(value % 100)]),
  ];
  if (number === 0) return small[0];
  const thousands = Math.floor(number / 1000);
  return [
    ...(thousands === 0 ? [] : [...belowThousand(thousands), "thousand"]),
    ...belowThousand(number % 1000),
  ].join(" ");
}

const german = {
  small: [
    "null",
    "ein",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
  ],
  tens: [
    "zwanzig",
    "dreißig",
    "vierzig",
    "fünfzig",
    "sechzig",
    "siebzig",
    "achtzig",
    "neunzig",
  ],
};

/**
 * A number in German words, in one word, with "ein" before "hundert" and
 * "tausend": "einhunderteintausendzweihundertvierunddreißig". One is "eins" at
 * the end and "ein" elsewhere.
 *
 * @throws {RangeError} If it isn't an integer of 0 … 999,999.
 */
export function germanNumber(number: number): string {
  checkNumber("germanNumber", number);
  const { small, tens } = german;
  const belowHundred = (value: number): string => {
    if (value < 20) return small[value];
    const ten = tens[Math.floor(value / 10) - 2];
    return value % 10 === 0 ? ten : `${small[value % 10]}und${ten}`;
  };
  const belowThousand = (value: number): string =>
    (value < 100 ? "" : `${small[Math.floor(value / 100)]}hundert`) +
    (value % 100 === 0 ? "" : belowHundred(value % 100));
  if (number === 0) return small[0];
  const thousands = Math.floor(number / 1000);
  return (thousands === 0 ? "" : `${belowThousand(thousands)}tausend`) +
    belowThousand(number % 1000) +
    (number % 100 === 1 ? "s" : "");
}

/**
 * A number in English and in German words.
 *
 * @throws {RangeError} If it isn't an integer of 0 … 999,999.
 */
export function numberWordPair(number: number): SentencePair {
  return { source: englishNumber(number), target: germanNumber(number) };
}

/** How many numbers are to be drawn, and which. */
export interface NumberWordOptions {
  /** Numbers to train on, ≥ 100. */
  readonly training: number;
  /** Numbers to measure on, ≥ 1. */
  readonly unseen: number;
  /** The most digits a number has, 3 … 6; default 6. */
  readonly digits?: number;
  /** Of all draws: an integer ≥ 0; default 0. */
  readonly seed?: number;
}

/** Number words to train on, and of other numbers. */
export interface NumberWordPairs {
  /** 0 … 99 in order, then drawn numbers. */
  readonly training: readonly SentencePair[];
  /** Drawn numbers that no training data of the same seed has. */
  readonly unseen: readonly SentencePair[];
}

/**
 * Number words, English to German, split by number: a tenth of the numbers
 * from 100 on is unseen, which ones a hash of seed and number says, so that
 * splits of one seed and any sizes never mix. Both parts draw without
 * repetition, as many numbers of three digits as of four, five and six, until
 * there are no more of a length.
 *
 * @throws {RangeError} If an option is out of range, or there aren't that many
 * numbers.
 */
export function numberWordPairs(options: NumberWordOptions): NumberWordPairs {
  const { training, unseen, digits = 6, seed = 0 } = options;
  checkOption("training", training, 100);
  checkOption("unseen", unseen, 1);
  checkOption("digits", digits, 3, 6);
  checkOption("seed", seed, 0);
  const parts = {
    training: Array.from({ length: 100 }, (_, number) => number),
    unseen: [] as number[],
  };
  const full = () =>
    parts.training.length === training && parts.unseen.length === unseen;
  for (const number of drawnNumbers(digits, seed)) {
    const isUnseen = hashBelow(10, seed, number) === 0;
    const [part, size] = isUnseen
      ? [parts.unseen, unseen]
      : [parts.training, training];
    if (part.length < size) part.push(number);
    if (full()) break;
  }
  if (!full()) {
    throw new RangeError(
      `numberWordPairs: numbers of up to ${digits} digits are too few for ` +
        `${training} to train on and ${unseen} unseen ones: there are ` +
        `${parts.training.length} and ${parts.unseen.length}`,
    );
  }
  return {
    training: parts.training.map(numberWordPair),
    unseen: parts.unseen.map(numberWordPair),
  };
}

/** All numbers of 3 to `digits` digits, lengths by turns, in a seeded order. */
function* drawnNumbers(digits: number, seed: number): Generator<number> {
  for (let draw = 0; draw < 9 * 10 ** (digits - 1); draw++) {
    for (let length = 3; length <= digits; length++) {
      const least = 10 ** (length - 1);
      if (draw < 9 * least) {
        yield least + shuffled(draw, 9 * least, seed, length);
      }
    }
  }
}

function checkNumber(operation: string, number: number): void {
  if (Number.isInteger(number) && number >= 0 && number < numberWordsEnd) {
    return;
  }
  throw new RangeError(
    `${operation}: ${number}: expected an integer of 0 … ${numberWordsEnd - 1}`,
  );
}

function checkOption(
  name: string,
  value: number,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER
    ? `of at least ${least}`
    : `of ${least} … ${most}`;
  throw new RangeError(
    `numberWordPairs: ${name} ${value}: expected an integer ${range}`,
  );
}
