/**
 * How well classes are told apart: accuracy, precision, recall, F1 and the
 * confusion matrix that they are made of.
 *
 * @example
 * ```ts
 * import { accuracy, confusionMatrix, macroF1 } from "@layerbraid/layerbraid/train";
 *
 * const confusion = confusionMatrix(["cat", "dog"], [0, 0, 1, -100], [0, 1, 1, 0]);
 * console.log(confusion.counts); // [ [ 1, 1 ], [ 0, 1 ] ]
 * console.log(accuracy(confusion), macroF1(confusion)); // 0.666… 0.666…
 * ```
 *
 * @module
 */

/** Which class was taken for which. */
export interface Confusion {
  /** Names of the classes. */
  readonly classes: readonly string[];
  /** How often: by the right class, then by the predicted one. */
  readonly counts: readonly (readonly number[])[];
}

/**
 * Counts right and predicted classes. Examples whose right class is negative,
 * as padding is, don't count.
 *
 * @param classes Names of the classes.
 * @param expected The right classes, indices of `classes`.
 * @param predicted As many indices.
 *
 * @throws {RangeError} If there aren't as many of both, or if one isn't a class.
 */
export function confusionMatrix(
  classes: readonly string[],
  expected: ArrayLike<number>,
  predicted: ArrayLike<number>,
): Confusion {
  if (expected.length !== predicted.length) {
    throw new RangeError(
      `confusionMatrix: ${expected.length} classes are expected, but ` +
        `${predicted.length} predicted; give as many`,
    );
  }
  const counts = classes.map(() => classes.map(() => 0));
  for (let i = 0; i < expected.length; i++) {
    if (expected[i] < 0) continue;
    for (const index of [expected[i], predicted[i]]) {
      if (classes[index] !== undefined) continue;
      throw new RangeError(
        `confusionMatrix: example ${i} is of class ${index}, but there are ` +
          `${classes.length} classes, from 0 on`,
      );
    }
    counts[expected[i]][predicted[i]]++;
  }
  return { classes, counts };
}

/** The share of examples in [0, 1] whose class is right; NaN without examples. */
export function accuracy({ counts }: Confusion): number {
  const right = sum(counts.map((row, i) => row[i]));
  return right / sum(counts.map(sum));
}

/** How well one class is told from the others. */
export interface ClassScores {
  /** Its name. */
  readonly name: string;
  /** Share of what was taken for it that is right; NaN if nothing was. */
  readonly precision: number;
  /** Share of its examples that were found; NaN if there are none. */
  readonly recall: number;
  /** 2TP / (2TP + FP + FN); NaN if it neither exists nor was predicted. */
  readonly f1: number;
  /** Number of its examples. */
  readonly examples: number;
}

/** Precision, recall and F1 of each class. */
export function classScores({ classes, counts }: Confusion): ClassScores[] {
  return classes.map((name, i) => {
    const right = counts[i][i];
    const examples = sum(counts[i]);
    const taken = sum(counts.map((row) => row[i]));
    return {
      name,
      precision: right / taken,
      recall: right / examples,
      f1: 2 * right / (taken + examples),
      examples,
    };
  });
}

/**
 * The mean F1 over all classes that exist in the examples or were predicted,
 * rare ones as important as frequent ones; NaN without examples.
 */
export function macroF1(confusion: Confusion): number {
  const scores = classScores(confusion)
    .map(({ f1 }) => f1)
    .filter((f1) => !Number.isNaN(f1));
  return sum(scores) / scores.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
