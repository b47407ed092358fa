/**
 * The golden data of Dahlquist's equation, solved on plain numbers.
 *
 * @module
 */

import {
  adjointPropagator,
  forwardPropagator,
  multigrid,
  numbers,
} from "../../mgrit/mod.ts";
import {
  type Arrays,
  check,
  type GoldenReader,
  type GoldenSet,
} from "../golden_case.ts";
import { near, norm } from "./golden_checker.ts";
import {
  type Configuration,
  type Golden,
  optionsOf,
} from "./golden_problems.ts";

// Step and derivatives by u and by λ of backward and forward Euler for u' = λ u.
interface EulerRule {
  readonly step: (u: number, z: number) => number;
  readonly byState: (u: number, z: number) => number;
  readonly byRate: (u: number, z: number) => number;
}

const euler: Readonly<Record<string, EulerRule>> = {
  dahlquist_be: {
    step: (u: number, z: number) => u / (1 - z),
    byState: (_: number, z: number) => 1 / (1 - z),
    byRate: (u: number, z: number) => u / (1 - z) ** 2,
  },
  dahlquist_fe: {
    step: (u: number, z: number) => u * (1 + z),
    byState: (_: number, z: number) => 1 + z,
    byRate: (u: number) => u,
  },
};

/** The solver on plain numbers: no tensors, no device. */
export const goldenPlainNumbers: GoldenSet = async (reader: GoldenReader) => {
  const problems = Object.entries(euler).map(async ([name, rule]) => {
    const golden: Golden = await reader.json(`mgrit/${name}.json`);
    const arrays = await reader.arrays(`mgrit/${name}.safetensors`);
    return golden.configs.map((configuration) => ({
      name: `${name} ${configuration.id}`,
      run: () => solve(golden, arrays, configuration, rule),
    }));
  });
  return (await Promise.all(problems)).flat();
};

function solve(
  { name, N, h }: Golden,
  arrays: Arrays,
  configuration: Configuration,
  { step, byState, byRate }: EulerRule,
): void {
  const rates = arrays[`${name}/theta.lam`].values;
  const [x0] = arrays[`${name}/x0`].values;
  const [target] = arrays[`${name}/target`].values;
  const chain = { steps: N, space: numbers };
  const close = (
    what: string,
    actual: readonly unknown[],
    expected: readonly (number | null)[],
    unit: number,
  ): void => {
    check(actual.length === expected.length, what);
    for (const [i, b] of expected.entries()) {
      if (b === null) check(actual[i] === null, what);
      else near(what, actual[i] as number, b, 1e-11 * b + 1e-12 * unit);
    }
  };
  const { id, fwd, bwd } = configuration;
  const solutions = fwd.map(({ uNorm, loss }, k) => {
    const solution = multigrid(
      {
        ...chain,
        propagator: forwardPropagator((u: number, layer, stride) =>
          step(u, stride * h * rates[layer])
        ),
      },
      x0,
      optionsOf(configuration, k + 1),
    );
    const { states, residuals } = solution;
    const norms = fwd.slice(0, k + 1).map(({ rnorm }) => rnorm);
    close(`${id} ${k}: residuals`, residuals, norms, uNorm);
    const actual = [norm(states.slice(1)), (states[N] - target) ** 2 / 2];
    close(`${id} ${k}: norm, loss`, actual, [uNorm, loss], 0);
    return solution;
  });
  for (const [pair, expected] of Object.entries(bwd)) {
    const [kf, kb] = pair.split(",").map(Number);
    const { inputs, states } = solutions[kf - 1];
    const adjoint = multigrid(
      {
        ...chain,
        propagator: adjointPropagator(N, (w: number, layer, stride) => {
          const about = (stride === 1 ? inputs : states)[layer];
          return w * byState(about, stride * h * rates[layer]);
        }),
      },
      states[N] - target,
      optionsOf(configuration, kb),
    );
    const gradient = inputs.map((x, n) =>
      h * byRate(x, h * rates[n]) * adjoint.inputs[N - 1 - n]
    );
    const what = `${id} ${pair}`;
    const unit = norm(adjoint.states);
    close(what, adjoint.residuals, expected.rnorms, unit);
    close(
      what,
      [norm(gradient), Math.abs(adjoint.states[N])],
      [expected.gradNorm, expected.x0GradNorm],
      0,
    );
    close(what, gradient.map(Math.abs), expected.layerGradNorm, 0);
  }
}
