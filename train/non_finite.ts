/**
 * Numbers that are none: where a run that diverges is stopped.
 *
 * @module
 */

import { evaluate } from "../autograd/mod.ts";
import { allFinite, namedLeaves, type Tree } from "../tensor/internal.ts";

/** What stopped a run, beside its message. */
export interface NonFiniteDetails {
  /** The step in which it was found, from 1 on. */
  readonly step: number;
  /**
   * What isn't finite: `parameter open.tokens`, `gradient of block.…`,
   * `loss`, ….
   */
  readonly culprit: string;
  /** The newest checkpoint, all of it finite. */
  readonly checkpoint: string | undefined;
}

/** The loss, a gradient or a parameter became NaN or infinite. */
export class NonFiniteError extends Error {
  /** See {@linkcode NonFiniteDetails}. */
  readonly step: number;
  /** See {@linkcode NonFiniteDetails}. */
  readonly culprit: string;
  /** See {@linkcode NonFiniteDetails}. */
  readonly checkpoint: string | undefined;

  /** Says what happened where, and what to do. */
  constructor({ step, culprit, checkpoint }: NonFiniteDetails) {
    super(
      `train: step ${step}: ${culprit} is not finite; ${
        checkpoint === undefined
          ? "no checkpoint was written"
          : `the last good checkpoint is ${checkpoint}`
      }. Try a lower learning rate, a longer warm-up or gradient clipping`,
    );
    this.name = "NonFiniteError";
    this.step = step;
    this.culprit = culprit;
    this.checkpoint = checkpoint;
  }
}

/** The path of the first tensor with a NaN or an infinity in it. */
export async function firstNonFinite(tree: Tree): Promise<string | undefined> {
  const names = await Promise.all(
    namedLeaves(tree).map(async ([name, x]) => {
      using finite = evaluate(() => allFinite(x));
      return await finite.item() === 0 ? name : undefined;
    }),
  );
  return names.find((name) => name !== undefined);
}
