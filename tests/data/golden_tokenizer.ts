/**
 * GPT-2's tokenizer on the samples of the golden data: ids exactly.
 *
 * @module
 */

import {
  type BytePairTokenizer,
  formatBytePairFiles,
  parseBytePairFiles,
} from "../../data/mod.ts";
import {
  check,
  type GoldenCase,
  type GoldenReader,
  type GoldenSet,
} from "../golden_case.ts";

interface Sample {
  readonly text: string;
  readonly ids: readonly number[];
}

interface Samples {
  readonly samples: readonly Sample[];
  readonly withSpecial: readonly Sample[];
  readonly withoutSpecial: readonly Sample[];
  readonly partialDecode: readonly Sample[];
}

function same(actual: unknown, expected: unknown): void {
  const [a, b] = [actual, expected].map((x) => JSON.stringify(x));
  check(a === b, `${a}, expected ${b}`);
}

/** What a streaming decoder makes of ids, given one by one. */
function streamed(
  tokenizer: BytePairTokenizer,
  ids: readonly number[],
): string {
  const decoder = tokenizer.decoder();
  return ids.map((id) => decoder.push(id)).join("") + decoder.flush();
}

/** Encoding, decoding, and the files of the tokenizer. */
export const goldenTokenizer: GoldenSet = async (reader: GoldenReader) => {
  const { samples, withSpecial, withoutSpecial, partialDecode }: Samples =
    await reader.json("tokenizer/samples.json");
  const vocabulary = await reader.text("tokenizer/vocab.json");
  const merges = await reader.text("tokenizer/merges.txt");
  const tokenizer = parseBytePairFiles({ vocabulary, merges });
  const named = (
    what: string,
    samples: readonly Sample[],
    run: (sample: Sample) => void,
  ): GoldenCase[] =>
    samples.map((sample) => ({
      name: `${what} ${JSON.stringify(sample.text)}`,
      run: () => run(sample),
    }));
  return [
    ...named("encode", [...samples, ...withoutSpecial], ({ text, ids }) => {
      same([...tokenizer.encode(text)], ids);
    }),
    ...named("encode special", withSpecial, ({ text, ids }) => {
      same([...tokenizer.encode(text, { special: true })], ids);
    }),
    // Partial characters decode to U+FFFD, whole and streamed.
    ...named(
      "decode",
      [...samples, ...withoutSpecial, ...withSpecial, ...partialDecode],
      ({ text, ids }) => {
        same(tokenizer.decode(ids), text);
        same(streamed(tokenizer, ids), text);
      },
    ),
    {
      name: "the two files come back",
      run: () => {
        const files = formatBytePairFiles(tokenizer);
        check(files.merges.trimEnd() === merges.trimEnd(), "merges differ");
        const sorted = (text: string): [string, number][] =>
          Object.entries<number>(JSON.parse(text)).sort((a, b) => a[1] - b[1]);
        same(sorted(files.vocabulary), sorted(vocabulary));
      },
    },
  ];
};
