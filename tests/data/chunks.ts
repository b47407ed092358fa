import { assertEquals } from "@std/assert";
import { readText, textCorpus, type Tokenizer } from "../../data/mod.ts";

/** Text with words, numbers, signs, accents and several scripts. */
export const prose =
  "It's a truth universally acknowledged, that 1 man in 10 doesn't know.\n" +
  "  Die Größe — 東京タワー、333メートル — \u{1F5FC}\u{1F5FC} isn't 'relevant'.\n\n\t";

/** Numbers that look random, from 0 up to but not including `count`. */
export function generator(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * count);
  };
}

/** Characters of an alphabet in random order. */
export function randomText(
  seed: number,
  alphabet: string,
  length: number,
): string {
  const below = generator(seed);
  const characters = Array.from(alphabet);
  return Array.from({ length }, () => characters[below(characters.length)])
    .join("");
}

/** Texts in which it is easy to cut at a wrong place. */
export const oddTexts: readonly string[] = [
  prose.repeat(3),
  randomText(
    1,
    "ab'slredvmt 1 2\n\t\u3000.,'é東\u0301\u{20000}\u{1F5FC}\u000b\u0085\u0001\u00a0▁",
    700,
  ),
  randomText(2, "a' \n1", 500),
  "noplacetocutin".repeat(20) + "é".repeat(100),
  " ".repeat(100) + "a" + "\n".repeat(50),
];

/** Asserts that chunks of any size give the ids of the whole text. */
export async function assertChunksAgree(
  tokenizer: Tokenizer,
  text: string,
): Promise<void> {
  const whole = [...tokenizer.encode(text)];
  for (const chunkBytes of [1, 2, 3, 5, 8, 21, 144, 10_000]) {
    const ids: number[] = [];
    for await (const chunk of readText(textCorpus("", text), chunkBytes)) {
      ids.push(...tokenizer.encode(chunk));
    }
    assertEquals(ids, whole);
  }
}
