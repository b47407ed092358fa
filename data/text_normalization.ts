import { precompiledNormalizer } from "./precompiled_characters.ts";

/** A step that changes a text before it is cut, as `tokenizer.json` names it. */
export type NormalizationStep =
  | { readonly type: "NFC" | "NFD" | "NFKC" | "NFKD" }
  | { readonly type: "Lowercase" | "StripAccents" | "Nmt" }
  | {
    readonly type: "Strip";
    readonly strip_left: boolean;
    readonly strip_right: boolean;
  }
  | {
    readonly type: "Replace";
    readonly pattern: { readonly String: string } | { readonly Regex: string };
    readonly content: string;
  }
  | { readonly type: "Precompiled"; readonly precompiled_charsmap: string };

/**
 * The function that takes a text through steps of normalisation, in order.
 *
 * @throws {SyntaxError} If a `Regex` isn't one that JavaScript knows.
 * @throws {RangeError} If a `precompiled_charsmap` isn't one.
 */
export function textNormalizer(
  steps: readonly NormalizationStep[],
): (text: string) => string {
  const functions = steps.map(stepFunction);
  return (text) =>
    functions.reduce((changed, change) => change(changed), text.toWellFormed());
}

function stepFunction(step: NormalizationStep): (text: string) => string {
  switch (step.type) {
    case "Lowercase":
      // Letter by letter: a sigma is the same at the end of a word.
      return (text) => text.replaceAll("Σ", "σ").toLowerCase();
    case "StripAccents":
      return (text) => text.replace(/\p{M}/gu, "");
    case "Nmt":
      return (text) => text.replace(nmtDropped, "").replace(nmtSpaces, " ");
    case "Strip":
      return (text) => {
        if (step.strip_left) text = text.replace(/^\p{White_Space}+/u, "");
        return step.strip_right
          ? text.slice(0, text.search(/\p{White_Space}*$/u))
          : text;
      };
    case "Replace": {
      const { pattern, content } = step;
      const found = "String" in pattern
        ? pattern.String
        : new RegExp(pattern.Regex, "gu");
      return (text) => text.replaceAll(found, () => content);
    }
    case "Precompiled":
      return precompiledNormalizer(step.precompiled_charsmap);
    default:
      return (text) => text.normalize(step.type);
  }
}

// SentencePiece's rules for machine translation ("nmt"): control characters go,
// white space and what has no width become spaces.
// deno-lint-ignore no-control-regex
const nmtDropped = /[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g;
const nmtSpaces =
  /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;
