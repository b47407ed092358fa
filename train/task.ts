/**
 * What is trained: the only thing that the training loop knows of a model and
 * its data.
 *
 * @module
 */

import type { SolveOptions } from "../mgrit/mod.ts";
import type { Tensor, Tree } from "../tensor/internal.ts";

/** Plain data, as JSON holds it. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/**
 * A model and its data. Everything random in it is a function of its seed and
 * the number of the batch, so that a run can go on anywhere.
 */
export interface TrainingTask<P extends Tree> {
  /** What kind of task: `gpt`. */
  readonly name: string;
  /** Tokens (or samples) of a batch, for tokens per second. */
  readonly tokensPerBatch: number;
  /** Parameters to begin with; always the same, on the default device. */
  readonly initialize: () => P;
  /**
   * The mean loss of a training batch, one element, differentiable in the
   * parameters. Batches count from 0; they, dropout included, depend on nothing
   * but the number. With a solver the block is solved so, without one layer
   * after layer.
   */
  readonly loss: (
    parameters: P,
    batch: number,
    solver?: SolveOptions<never>,
  ) => Tensor;
  /** The layers that a solver is for; default: there are none. */
  readonly block?: {
    /** N. */
    readonly layers: number;
    /**
     * The block's part of the model's parameters, or of their gradient: every
     * leaf has the layer as its first axis.
     */
    readonly parameters: (parameters: P) => Tree;
  };
  /**
   * The mean loss on data that is not trained on, without dropout, over at most
   * that many batches; they are the same each time.
   */
  readonly validationLoss?: (
    parameters: P,
    batches: number,
  ) => Promise<number>;
  /** What is needed to make the task again; checkpoints carry it as JSON. */
  readonly description: JsonRecord;
}
