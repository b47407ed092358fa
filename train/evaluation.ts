/**
 * What a trained model was found to be worth on some data, and the record of it
 * in the folder of its run: `evaluations.jsonl`, an evaluation a line.
 *
 * @example
 * ```ts
 * import {
 *   accuracy,
 *   appendEvaluation,
 *   confusionMatrix,
 *   readEvaluations,
 * } from "@layerbraid/layerbraid/train";
 *
 * const run = await Deno.makeTempDir();
 * const confusion = confusionMatrix(["cat", "dog"], [0, 0, 1, 1], [0, 1, 1, 1]);
 * await appendEvaluation(run, {
 *   data: "photographs",
 *   checkpoint: "checkpoints/step-000500",
 *   loss: 0.3,
 *   examples: 4,
 *   metrics: { accuracy: accuracy(confusion) },
 *   confusion,
 * });
 * const [{ metrics }] = await readEvaluations(run);
 * console.log(metrics.accuracy); // 0.75
 * ```
 *
 * @module
 */

import { replaceFile } from "./durable_files.ts";
import type { Confusion } from "./metrics/mod.ts";

/** What was found on data that the model wasn't trained on. */
export interface Evaluation {
  /** Mean loss, as in training. */
  readonly loss: number;
  /** How many examples (tokens, images, sentences, …) there were. */
  readonly examples: number;
  /** All measures by name; shares are in [0, 1], BLEU and chrF in [0, 100]. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Of classification: which class was taken for which. */
  readonly confusion?: Confusion;
  /** Some examples, for readers. */
  readonly samples?: readonly EvaluationSample[];
}

/** An example and what the model made of it. */
export interface EvaluationSample {
  /** What the model was given. */
  readonly input: string;
  /** What is right. */
  readonly expected: string;
  /** What the model says. */
  readonly output: string;
}

/** An evaluation in the record of a run. */
export interface RecordedEvaluation extends Evaluation {
  /** Names the data. */
  readonly data: string;
  /** Which checkpoint was evaluated. */
  readonly checkpoint: string;
  /** When, in ISO 8601. */
  readonly date?: string;
}

/** The record's path in the folder of a run. */
export function evaluationsPath(run: string): string {
  return `${run}/evaluations.jsonl`;
}

/** Writes an evaluation behind those that the record has. */
export async function appendEvaluation(
  run: string,
  evaluation: RecordedEvaluation,
): Promise<void> {
  const all = [...await readEvaluations(run), evaluation];
  const text = all.map((each) => JSON.stringify(each) + "\n").join("");
  await replaceFile(evaluationsPath(run), new TextEncoder().encode(text));
}

/** The evaluations of a run, oldest first; lines that are none are left out. */
export async function readEvaluations(
  run: string,
): Promise<RecordedEvaluation[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(evaluationsPath(run));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return text.split("\n").flatMap((line) => {
    try {
      // JSON has no NaN, and writes null for it.
      const value = JSON.parse(line, (_, item) => item === null ? NaN : item);
      return isEvaluation(value) ? [value] : [];
    } catch {
      return [];
    }
  });
}

function isEvaluation(value: unknown): value is RecordedEvaluation {
  const { loss, examples, metrics, data, checkpoint } =
    (value ?? {}) as Partial<RecordedEvaluation>;
  return typeof loss === "number" && typeof examples === "number" &&
    typeof metrics === "object" && typeof data === "string" &&
    typeof checkpoint === "string";
}
