import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  englishNumber,
  germanNumber,
  numberWordPair,
  numberWordPairs,
} from "../../data/number_words.ts";

/** Checked by hand against the rules of Duden and of American English. */
const known: readonly [number, string, string][] = [
  [0, "zero", "null"],
  [1, "one", "eins"],
  [2, "two", "zwei"],
  [7, "seven", "sieben"],
  [10, "ten", "zehn"],
  [11, "eleven", "elf"],
  [12, "twelve", "zwölf"],
  [13, "thirteen", "dreizehn"],
  [16, "sixteen", "sechzehn"],
  [17, "seventeen", "siebzehn"],
  [19, "nineteen", "neunzehn"],
  [20, "twenty", "zwanzig"],
  [21, "twenty-one", "einundzwanzig"],
  [30, "thirty", "dreißig"],
  [42, "forty-two", "zweiundvierzig"],
  [60, "sixty", "sechzig"],
  [66, "sixty-six", "sechsundsechzig"],
  [70, "seventy", "siebzig"],
  [77, "seventy-seven", "siebenundsiebzig"],
  [88, "eighty-eight", "achtundachtzig"],
  [99, "ninety-nine", "neunundneunzig"],
  [100, "one hundred", "einhundert"],
  [101, "one hundred one", "einhunderteins"],
  [111, "one hundred eleven", "einhundertelf"],
  [116, "one hundred sixteen", "einhundertsechzehn"],
  [121, "one hundred twenty-one", "einhunderteinundzwanzig"],
  [200, "two hundred", "zweihundert"],
  [999, "nine hundred ninety-nine", "neunhundertneunundneunzig"],
  [1000, "one thousand", "eintausend"],
  [1001, "one thousand one", "eintausendeins"],
  [1100, "one thousand one hundred", "eintausendeinhundert"],
  [
    1234,
    "one thousand two hundred thirty-four",
    "eintausendzweihundertvierunddreißig",
  ],
  [12012, "twelve thousand twelve", "zwölftausendzwölf"],
  [21000, "twenty-one thousand", "einundzwanzigtausend"],
  [
    101101,
    "one hundred one thousand one hundred one",
    "einhunderteintausendeinhunderteins",
  ],
  [
    999999,
    "nine hundred ninety-nine thousand nine hundred ninety-nine",
    "neunhundertneunundneunzigtausendneunhundertneunundneunzig",
  ],
];

Deno.test("number words: a list that is known", () => {
  for (const [number, english, german] of known) {
    assertEquals(englishNumber(number), english);
    assertEquals(germanNumber(number), german);
    assertEquals(numberWordPair(number), { source: english, target: german });
  }
});

/** The value of English words that are each worth a number. */
function readEnglish(words: string): number {
  const worth = new Map(
    Array.from({ length: 20 }, (_, value) => [englishNumber(value), value]),
  );
  for (let ten = 20; ten < 100; ten += 10) worth.set(englishNumber(ten), ten);
  let thousands = 0;
  let value = 0;
  for (const word of words.split(/[ -]/)) {
    if (word === "thousand") [thousands, value] = [value, 0];
    else if (word === "hundred") value *= 100;
    else value += worth.get(word) ?? NaN;
  }
  return thousands * 1000 + value;
}

/** The value of a German word below a thousand. */
function readGermanBelowThousand(word: string): number {
  if (word === "") return 0;
  const hundred = word.indexOf("hundert");
  if (hundred >= 0) {
    return 100 * readGermanBelowThousand(word.slice(0, hundred)) +
      readGermanBelowThousand(word.slice(hundred + "hundert".length));
  }
  if (word === "ein") return 1;
  for (let value = 0; value < 20; value++) {
    if (germanNumber(value) === word) return value;
  }
  for (let ten = 20; ten < 100; ten += 10) {
    if (germanNumber(ten) === word) return ten;
    const ending = `und${germanNumber(ten)}`;
    if (word.endsWith(ending)) {
      return ten + readGermanBelowThousand(word.slice(0, -ending.length));
    }
  }
  return NaN;
}

function readGerman(word: string): number {
  const [first, second] = word.split("tausend");
  return second === undefined
    ? readGermanBelowThousand(first)
    : 1000 * readGermanBelowThousand(first) + readGermanBelowThousand(second);
}

Deno.test("number words: what is written reads back as the number", () => {
  const check = (number: number) => {
    assertEquals(readEnglish(englishNumber(number)), number);
    assertEquals(readGerman(germanNumber(number)), number);
  };
  for (let number = 0; number < 2200; number++) check(number);
  for (let number = 2200; number < 1_000_000; number += 97) check(number);
});

Deno.test("number words: every number has words of its own", () => {
  for (const words of [englishNumber, germanNumber]) {
    // The thousands are written as a number below a thousand: all pairs of such
    // parts differ if the parts do.
    const seen = new Set<string>();
    for (let number = 0; number < 20_000; number++) seen.add(words(number));
    assertEquals(seen.size, 20_000);
  }
});

Deno.test("number words: the split is a function of seed and number", () => {
  const options = { training: 1000, unseen: 300, seed: 4 };
  const split = numberWordPairs(options);
  assertEquals(split, numberWordPairs(options));
  assertEquals([split.training.length, split.unseen.length], [1000, 300]);
  const training = new Set(split.training.map(({ source }) => source));
  assertEquals(training.size, 1000);
  assert(training.has("ninety-nine"));
  const unseen = new Set(split.unseen.map(({ source }) => source));
  assertEquals(unseen.size, 300);
  // A larger split of the same seed keeps to the same sides.
  const larger = numberWordPairs({ ...options, training: 5000 });
  assertEquals(larger.unseen, split.unseen);
  assert(larger.training.every(({ source }) => !unseen.has(source)));
  const other = numberWordPairs({ ...options, seed: 5 });
  assert(other.unseen.some(({ source }) => !unseen.has(source)));
  const lengths = split.unseen.map(({ source }) =>
    String(readEnglish(source)).length
  );
  for (const digits of [3, 4, 5, 6]) {
    const count = lengths.filter((length) => length === digits).length;
    assert(count >= 30, `${count} of ${digits} digits`);
  }
});

Deno.test("number words: numbers and options out of range are told", () => {
  for (const number of [-1, 1.5, 1_000_000, NaN]) {
    assertThrows(() => germanNumber(number), RangeError, String(number));
    assertThrows(() => englishNumber(number), RangeError, String(number));
  }
  assertThrows(
    () => numberWordPairs({ training: 10, unseen: 1 }),
    RangeError,
    "numberWordPairs: training 10: expected an integer of at least 100",
  );
  assertThrows(
    () => numberWordPairs({ training: 1000, unseen: 10, digits: 3 }),
    RangeError,
    "too few",
  );
});
