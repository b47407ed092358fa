/**
 * Measures of how good a trained model is.
 *
 * @example
 * ```ts
 * import { corpusBleu, exactMatch, perplexity } from "@layerbraid/layerbraid/train";
 *
 * const hypotheses = ["two hundred and five", "sixty one"];
 * const references = ["two hundred and five", "sixty-one"];
 * console.log(exactMatch(hypotheses, references)); // 0.5
 * console.log(corpusBleu(hypotheses, references).score); // 84.0…
 * console.log(perplexity(1.4)); // 4.05…
 * ```
 *
 * @module
 */

export * from "./bleu.ts";
export { tokenize13a } from "./bleu_tokens.ts";
export * from "./chrf.ts";
export * from "./classification.ts";
export * from "./correlation.ts";
export * from "./exact_match.ts";
export * from "./language.ts";
export type { References } from "./references.ts";
