/**
 * What is trained: the only thing that the training loop knows of a model and
 * its data.
 *
 * @module
 */

import type { Section, SolveOptions } from "../mgrit/mod.ts";
import type { Tensor, Tree } from "../tensor/internal.ts";

/** Plain data, as JSON holds it. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** What was measured on data that is not trained on. */
export interface Validation {
  /** The mean loss. */
  readonly loss: number;
  /**
   * What else was measured, by name: the greater, the better. Shares such as
   * `accuracy` are in [0, 1]. What follows from the loss is left out.
   */
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * A model and its data. Everything random in it is a function of its seed and
 * the number of the batch, so that a run can go on anywhere.
 */
export interface TrainingTask<P extends Tree> {
  /** What kind of task: `gpt`. */
  readonly name: string;
  /** Tokens (or whatever `unit` says) of a batch, for the speed. */
  readonly tokensPerBatch: number;
  /** What they are, in the plural: `tokens`, `images`, `sentences`. */
  readonly unit: string;
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
    /**
     * Where layers are of several kinds: the sections, with a tree of their own
     * each, whose leaves have the section's layers as their first axis.
     */
    readonly sections?: readonly Section[];
  };
  /**
   * The mean loss and other measures of data that is not trained on, without
   * dropout, over at most that many batches; they are the same each time.
   */
  readonly validate?: (
    parameters: P,
    batches: number,
  ) => Promise<Validation>;
  /** What is needed to make the task again; checkpoints carry it as JSON. */
  readonly description: JsonRecord;
}
