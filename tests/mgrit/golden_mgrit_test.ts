import { assert } from "@std/assert";
import {
  adjointPropagator,
  type Execution,
  forwardPropagator,
  multigrid,
  numbers,
  solveForward,
} from "../../mgrit/mod.ts";
import * as t from "../../tensor/mod.ts";
import { goldenArrays, goldenJson, goldenMissing } from "../golden.ts";
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

const problems = [
  "dahlquist_be",
  "dahlquist_fe",
  "odenet",
  "odenet_ragged",
  "transformer",
  "transformer_dt1",
  "transformer_causal_dt1",
];

/** All configurations that are stored in full, or all others. */
async function check(
  name: string,
  device: "reference" | "wasm",
  execution: Execution,
  full: boolean,
): Promise<void> {
  const cpu = device === "reference"
    ? await t.device("reference", { dtype: "f64" })
    : await t.device("wasm", { threads: 1 });
  try {
    const by = device === "reference"
      ? f64
      : name.startsWith("dahlquist")
      ? { ...f32, gradient: 2e-5 }
      : f32;
    const checker = new Checker(name, by, execution);
    for (const configuration of checker.golden.configs) {
      if (configuration.full !== full) continue;
      using _ = cpu.scope();
      await checker.check(configuration);
    }
  } finally {
    cpu.close();
  }
}

for (const name of problems) {
  for (const device of ["reference", "wasm"] as const) {
    for (const execution of ["sequential", "stacked"] as const) {
      const what = `${name} on ${device}, ${execution}`;
      Deno.test(`golden mgrit: ${what}`, {
        ignore: goldenMissing,
      }, () => check(name, device, execution, true));
      Deno.test(`slow: golden mgrit, all settings: ${what}`, {
        // A few minutes for all of them
        ignore: goldenMissing || !Deno.env.has("LAYERBRAID_SLOW"),
      }, () => check(name, device, execution, false));
    }
  }
}

Deno.test("golden mgrit: a second batch starts from the first one's states", {
  ignore: goldenMissing,
}, async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const checker = new Checker("odenet", f64, "sequential");
  const { golden: { warm, configs }, arrays, prepared } = checker;
  const configuration = configs.find(({ id }) => id === warm!.config)!;
  const options = optionsOf(configuration, warm!.firstIters);
  const first = solveForward(prepared.problem, prepared.x0, options);
  for (const [index, rnorm] of warm!.rnorm.entries()) {
    const iterations = index + 1;
    const solution = solveForward(
      prepared.problem,
      tensorOf(arrays["odenet/warm.x0"]),
      { ...options, iterations, guess: (n) => t.copy(first.states[n]) },
    );
    const u = await hostAll(solution.states);
    near("residual", await solution.residuals[index] ?? NaN, rnorm, 1e-11);
    checker.compare("warm.u", u, f64.states, index);
  }
  cpu.close();
});

// Step and derivatives by u and by λ of backward and forward Euler for u' = λ u.
const euler = {
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

for (const [name, { step, byState, byRate }] of Object.entries(euler)) {
  Deno.test(`golden mgrit: ${name} on plain numbers`, {
    ignore: goldenMissing,
  }, () => {
    const { N, h, configs }: Golden = goldenJson(`mgrit/${name}.json`);
    const arrays = goldenArrays(`mgrit/${name}.safetensors`);
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
      assert(actual.length === expected.length, what);
      for (const [i, b] of expected.entries()) {
        if (b === null) assert(actual[i] === null, what);
        else near(what, actual[i] as number, b, 1e-11 * b + 1e-12 * unit);
      }
    };
    for (const configuration of configs) {
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
  });
}
