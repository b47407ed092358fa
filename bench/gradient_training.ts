/**
 * Training with fixed multigrid iterations, while the exact gradient is looked
 * at beside.
 *
 * @module
 */

import { valueAndGrad } from "../autograd/mod.ts";
import type { TokenSplit } from "../data/mod.ts";
import {
  compareGradients,
  type MultigridOptions,
  probeIterations,
  type SolveOptions,
  type SolveReport,
} from "../mgrit/mod.ts";
import type { GptConfiguration, GptParameters } from "../models/mod.ts";
import { dispose } from "../tensor/mod.ts";
import { adamW, cosineWarmup, gptDecay, gptTask } from "../train/mod.ts";
import { withEmbeddingScale } from "./embedding_scale.ts";

/** What is trained, and how. */
export interface GradientTraining {
  readonly configuration: GptConfiguration;
  readonly split: TokenSplit;
  /** Multiplies the embeddings at the beginning. */
  readonly embeddingScale: number;
  /** c of multigrid's two levels. */
  readonly coarsening: number;
  /** Windows of a batch. */
  readonly batch: number;
  /** Highest learning rate. */
  readonly learningRate: number;
  /** Batches in which the learning rate rises. */
  readonly warmup: number;
  /** Batches after which the learning rate would be 0. */
  readonly total: number;
  /** Batches to train on. */
  readonly steps: number;
  /** Batches from one look at the gradient to the next. */
  readonly interval: number;
  readonly seed: number;
}

/** How the block is solved; serially, where no iterations are given. */
export interface FixedSolver {
  readonly name: string;
  readonly multigrid?: {
    readonly guess: "input" | "zero" | "skip";
    readonly forward: number;
    readonly backward: number;
  };
}

/** What is seen at a batch; the gradients are those of the block. */
export interface Measured {
  /** Batches that were trained on before. */
  readonly batch: number;
  /** Last ratio of residuals of a forward solve with doubled iterations. */
  readonly forwardRatio?: number;
  /** The same of the backward solve. */
  readonly backwardRatio?: number;
  /** Of the gradient that training uses and the exact one. */
  readonly cosine?: number;
  /** ‖difference‖ / ‖exact‖ of the same. */
  readonly relativeError?: number;
  /** Of the gradient that training uses and that of doubled iterations. */
  readonly doubledCosine?: number;
  /** Validation loss in nats per byte, every hundred batches. */
  readonly validation?: number;
}

/** Batches of a validation loss, and from one to the next. */
const evaluation = { batches: 20, interval: 100 };

/** Trains from the beginning, and yields what is seen on the way. */
export async function* trainAndMeasure(
  training: GradientTraining,
  { multigrid }: FixedSolver,
): AsyncGenerator<Measured, void, void> {
  const { configuration, split, batch, seed } = training;
  const { steps, interval, warmup, total, learningRate } = training;
  const task = withEmbeddingScale(
    gptTask({
      configuration,
      tokens: split.train,
      validation: split.validation,
      batch,
      seed,
    }),
    training.embeddingScale,
  );
  const lossAndGradient = valueAndGrad(task.loss);
  const gradientOf = (
    parameters: GptParameters,
    number: number,
    solver?: SolveOptions<never>,
  ): GptParameters => {
    const { value, gradient } = lossAndGradient(parameters, number, solver);
    value.dispose();
    return gradient;
  };
  const optimizer = adamW({ learningRate, decay: gptDecay });
  const schedule = cosineWarmup({ warmup, total });
  let parameters = task.initialize();
  let state = optimizer.init(parameters);
  const use = multigrid === undefined
    ? undefined
    : solverOf(training.coarsening, multigrid);
  for (let number = 0; number <= steps; number++) {
    const gradient = gradientOf(parameters, number, use);
    const looked = multigrid && number > 0 && number % interval === 0 &&
      await look(
        gradient,
        (solver) => gradientOf(parameters, number, solver),
        training.coarsening,
        multigrid,
      );
    const validation = number > 0 &&
      (number % evaluation.interval === 0 || number === steps) && {
      validation: (await task.validate!(parameters, evaluation.batches)).loss,
    };
    if (looked || validation) yield { batch: number, ...looked, ...validation };
    if (number === steps) {
      dispose(gradient);
      break;
    }
    ({ parameters, state } = optimizer.update(parameters, gradient, state, {
      learningRate: learningRate * schedule(number),
    }));
  }
  dispose([parameters, state.slots]);
}

type Iterations = NonNullable<FixedSolver["multigrid"]>;

function solverOf(
  coarsening: number,
  { guess, forward, backward }: Iterations,
): SolveOptions<never> {
  const options = (iterations: number): MultigridOptions<never> => ({
    levels: 2,
    coarsening,
    relaxation: "F",
    iterations,
    guess,
  });
  return { forward: options(forward), backward: options(backward) };
}

/** Compares the gradient with the exact one and that of doubled iterations. */
async function look(
  gradient: GptParameters,
  gradientOf: (solver?: SolveOptions<never>) => GptParameters,
  coarsening: number,
  { guess, forward, backward }: Iterations,
): Promise<Omit<Measured, "batch">> {
  const reports: SolveReport[] = [];
  const exact = gradientOf();
  const doubled = gradientOf({
    ...solverOf(coarsening, {
      guess,
      forward: probeIterations(forward, guess),
      backward: probeIterations(backward, guess),
    }),
    onSolve: (report) => reports.push(report),
  });
  const { cosine, relativeError } = await compareGradients(
    gradient.block,
    exact.block,
  );
  const { cosine: doubledCosine } = await compareGradients(
    gradient.block,
    doubled.block,
  );
  const [forwardRatio, backwardRatio] = await Promise.all(
    reports.map(lastRatio),
  );
  dispose([exact, doubled]);
  return {
    forwardRatio,
    backwardRatio,
    cosine,
    relativeError,
    doubledCosine,
  };
}

async function lastRatio({ residuals }: SolveReport): Promise<number> {
  const [before, last] = await Promise.all(residuals.slice(-2));
  return (last ?? NaN) / (before ?? NaN);
}
