/** Three runs to compare, from events made by hand. */

import { completeControl } from "../../mgrit/mod.ts";
import type { Comparison } from "../../train/comparison.ts";
import {
  history,
  type SolverDescription,
  type TrainingEvent,
} from "../../train/mod.ts";

const state = (iterations: number, serial = false) => ({
  serial,
  iterations,
  misses: 0,
});

const options = {
  levels: 2,
  coarsening: 4,
  relaxation: "F",
  iterations: 1,
  guess: "skip",
} as const;

const solver: SolverDescription = {
  layers: 8,
  forward: options,
  backward: options,
  execution: "sequential",
  control: completeControl({ interval: 2, smallestCosine: 0.8 }),
  state: { forward: state(1), backward: state(1) },
};

/** Four steps with losses from 4 on, each less by a number. */
function events(
  fall: number,
  isParallel: boolean,
  isSwitched: boolean,
  accuracy?: number,
): TrainingEvent[] {
  const result: TrainingEvent[] = [{
    type: "start",
    step: 0,
    steps: 4,
    parameters: 1,
    tokensPerStep: 8,
    unit: "tokens",
    ...(isParallel && { solver }),
  }];
  for (let step = 1; step <= 4; step++) {
    const loss = 4 - fall * step;
    result.push({
      type: "step",
      step,
      loss,
      learningRate: 1,
      gradientNorm: 1,
      milliseconds: 1000,
    });
    if (isParallel && step % 2 === 1) {
      const direction = {
        iterations: 2,
        residuals: [1, 0.25],
        finalResidual: 0.1,
        exactIterations: 8,
        ratio: 0.25,
        sweeps: [],
      };
      result.push({
        type: "probe",
        step,
        milliseconds: 1,
        forward: direction,
        backward: direction,
        gradient: {
          relativeError: 1,
          cosine: 0.7,
          layers: { relativeError: [1], cosine: [0.7] },
        },
      });
    }
    if (isSwitched && step === 3) {
      result.push({
        type: "switch",
        step,
        direction: "backward",
        from: state(1),
        to: state(2),
        reason: "gradient",
      });
    }
    if (step % 2 === 0) {
      const metrics: Record<string, number> = accuracy === undefined
        ? {}
        : { accuracy };
      result.push({ type: "evaluation", step, loss, metrics, best: true });
    }
  }
  return result;
}

/**
 * A serial run that ends at 2, a fixed one at 3 and an adaptive one at 2.04,
 * which switches after step 3.
 *
 * @param hasAccuracy Whether validation measures .9, .8 and .85, too.
 */
export function madeComparison(hasAccuracy = false): Comparison {
  const accuracies = hasAccuracy ? [0.9, 0.8, 0.85] : [];
  return {
    serial: history(events(0.5, false, false, accuracies[0])),
    fixed: history(events(0.25, true, false, accuracies[1])),
    adaptive: history(events(0.49, true, true, accuracies[2])),
  };
}
