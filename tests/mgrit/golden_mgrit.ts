/**
 * The golden data of the multigrid solver, forward and adjoint.
 *
 * @module
 */

import { type Execution, solveForward } from "../../mgrit/mod.ts";
import * as t from "../../tensor/mod.ts";
import type { GoldenReader, GoldenSet } from "../golden_case.ts";
import {
  Checker,
  hostAll,
  near,
  norm,
  type Tolerances,
} from "./golden_checker.ts";
import { type Golden, optionsOf, tensorOf } from "./golden_problems.ts";

const f64: Tolerances = {
  states: 1e-11,
  gradient: 1e-11,
  residual: 1e-11,
  residualFloor: 1e-12,
  layer: 1e-11,
};

const f32: Tolerances = {
  states: 2e-6,
  gradient: 5e-6,
  residual: 1e-4,
  residualFloor: 1e-6,
  layer: 1e-4,
};

/** The problems by their names. */
export const problems: readonly string[] = [
  "dahlquist_be",
  "dahlquist_fe",
  "odenet",
  "odenet_ragged",
  "transformer",
  "transformer_dt1",
  "transformer_causal_dt1",
];

/** A problem, ready to be solved on the default device. */
async function checkerOf(
  name: string,
  reader: GoldenReader,
  double: boolean,
  execution: Execution,
): Promise<Checker> {
  const golden: Golden = await reader.json(`mgrit/${name}.json`);
  const arrays = await reader.arrays(`mgrit/${name}.safetensors`);
  const single = name.startsWith("dahlquist")
    ? { ...f32, gradient: 2e-5 }
    : f32;
  return new Checker(golden, arrays, double ? f64 : single, execution);
}

/** A problem's configurations that are stored in full, or all others. */
export function goldenMgrit(
  name: string,
  execution: Execution,
  full: boolean,
): GoldenSet {
  return async (reader: GoldenReader, device: t.Device) => {
    const double = device.floatDtype === "f64";
    const checker = await checkerOf(name, reader, double, execution);
    const configurations = checker.golden.configs.filter((configuration) =>
      configuration.full === full
    );
    return configurations.map((configuration) => ({
      name: configuration.id,
      run: () => checker.solve(configuration),
    }));
  };
}

/** A second batch that starts from the first one's states. */
export const goldenWarmStart: GoldenSet = async (
  reader: GoldenReader,
  device: t.Device,
) => {
  const double = device.floatDtype === "f64";
  const checker = await checkerOf("odenet", reader, double, "sequential");
  const { golden: { warm, configs }, arrays, prepared, by } = checker;
  const configuration = configs.find(({ id }) => id === warm!.config)!;
  const options = optionsOf(configuration, warm!.firstIters);
  const first = solveForward(prepared.problem, prepared.x0, options);
  return warm!.rnorm.map((rnorm, index) => {
    const iterations = index + 1;
    return {
      name: `${iterations} iterations`,
      run: async () => {
        const solution = solveForward(
          prepared.problem,
          tensorOf(arrays["odenet/warm.x0"]),
          { ...options, iterations, guess: (n) => t.copy(first.states[n]) },
        );
        const u = await hostAll(solution.states);
        near(
          "residual",
          await solution.residuals[index] ?? NaN,
          rnorm,
          double ? 1e-11 : by.residual * rnorm + by.residualFloor * norm(u),
        );
        checker.compare("warm.u", u, by.states, index);
      },
    };
  });
};
