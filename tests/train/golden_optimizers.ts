/**
 * The optimizers and schedules of the golden data.
 *
 * @module
 */

import { valueAndGrad } from "../../autograd/mod.ts";
import * as t from "../../tensor/mod.ts";
import {
  adafactor,
  adam,
  adamW,
  clipByGlobalNorm,
  constant,
  constantWarmup,
  cosineWarmup,
  inverseSqrt,
  lars,
  linearWarmup,
  noam,
  type Optimizer,
  type Schedule,
  sgd,
  torchBraidCosine,
} from "../../train/mod.ts";
import {
  type Arrays,
  check,
  deviation,
  type GoldenReader,
  type GoldenSet,
} from "../golden_case.ts";

// deno-lint-ignore no-explicit-any -- hyperparameters as the recipe writes them
type Any = any;
type Parameters = Record<string, t.Tensor>;

const manyAxes = (_: string, x: t.Tensor): boolean => x.rank >= 2;
const fewAxes = (_: string, x: t.Tensor): boolean => x.rank < 2;

/** How each algorithm of the golden set is made with ours. */
const algorithms: Record<string, (hyper: Any) => Optimizer> = {
  SGD: ({ lr, ...rest }) => sgd({ learningRate: lr, ...rest }),
  Adam: ({ lr, eps, ...rest }) =>
    adam({ learningRate: lr, epsilon: eps, ...rest }),
  AdamW: ({ lr, eps, note = "", ...rest }) =>
    adamW({
      learningRate: lr,
      epsilon: eps,
      ...rest,
      ...(note.includes(">= 2 axes") ? { decay: manyAxes } : {}),
    }),
  LARS: ({ lr, eta, exclude1d, ...rest }) =>
    lars({
      learningRate: lr,
      trust: eta,
      ...rest,
      ...(exclude1d ? { exclude: fewAxes } : {}),
    }),
  Adafactor: ({ lr, eps1, ...rest }) =>
    adafactor({ learningRate: lr, epsilon: eps1, ...rest }),
};

/** How each schedule of the golden set is made with ours. */
function scheduleOf(kind: string, o: Any): Schedule {
  switch (kind.replace(/_0$/, "")) {
    case "linear_warmup":
      return linearWarmup(o);
    case "cosine_warmup":
      return cosineWarmup(o);
    case "torchbraid_cosine":
      return torchBraidCosine(o);
    case "constant_warmup":
      return constantWarmup(o);
    case "inverse_sqrt":
      return inverseSqrt(o);
    case "noam":
      return noam({ ...o, dimension: o.d_model });
    default:
      throw new Error(`schedule ${kind} isn't covered`);
  }
}

/** Replays a golden run, and compares every step of it. */
async function replay(
  device: t.Device,
  run: Any,
  arrays: Arrays,
): Promise<void> {
  // The tolerances of the recipe: in single precision Adam's first steps divide
  // rounding by the root of small second moments.
  const tolerance = device.floatDtype === "f64"
    ? 1e-12
    : run.algorithm.startsWith("Adam")
    ? 5e-5
    : 1e-5;
  const compare = (
    what: string,
    step: number,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
  ): void => {
    const off = deviation(actual, expected, 0, tolerance);
    check(
      off <= 1,
      `step ${step}: ${what} is off by ${off} tolerances of ${tolerance}`,
    );
  };
  const read = (name: string): t.Tensor => {
    const { values, shape } = arrays[name];
    return t.tensor(values, { shape, dtype: "f32", device });
  };
  const names = Object.keys(arrays).flatMap((name) =>
    name.startsWith("init.") ? [name.slice(5)] : []
  );
  const [x, y] = [read("X"), read("Y")];
  const loss = valueAndGrad((p: Parameters) => {
    const hidden = t.tanh(
      t.linear(x, t.transpose(p["fc1.weight"]), p["fc1.bias"]),
    );
    const out = t.linear(
      hidden,
      t.transpose(p["fc2.weight"]),
      p["fc2.bias"],
    );
    return t.meanSquaredError(out, y);
  });
  const optimizer = algorithms[run.algorithm](run.hyper);
  const schedule = run.schedule === null
    ? constant()
    : scheduleOf(run.schedule.kind, run.schedule);
  let parameters: Parameters = Object.fromEntries(
    names.map((name) => [name, read(`init.${name}`)]),
  );
  let state = optimizer.init(parameters);
  for (let step = 0; step < run.lr.length; step++) {
    const { value, gradient } = loss(parameters);
    const { norm, scale } = clipByGlobalNorm(
      gradient,
      run.clipGlobalNorm ?? 1,
    );
    const learningRate = optimizer.learningRate * schedule(step);
    compare("learning rate", step, [learningRate], [run.lr[step]]);
    ({ parameters, state } = optimizer.update(parameters, gradient, state, {
      learningRate,
      ...(run.clipGlobalNorm === null ? {} : { scale }),
    }));
    const [ours, norms, ...rows] = await Promise.all(
      [value, norm, ...names.map((name) => parameters[name])].map((x) =>
        x.data()
      ),
    );
    compare("loss", step, ours, [run.loss[step]]);
    compare("gradient norm", step, norms, [run.gradNormBeforeClip[step]]);
    for (const [i, row] of rows.entries()) {
      const { values } = arrays[`${run.name}/${names[i]}`];
      const from = (step + 1) * row.length;
      compare(names[i], step, row, values.subarray(from, from + row.length));
    }
  }
  check(state.step === run.lr.length, `the state counts ${state.step} steps`);
}

/** Every optimizer of the golden data. */
export const goldenOptimizers: GoldenSet = async (
  reader: GoldenReader,
  device: t.Device,
) => {
  const arrays = await reader.arrays("optim.safetensors");
  const { optimisers }: { optimisers: Any[] } = await reader.json("optim.json");
  return optimisers.map((run) => ({
    name: run.name,
    run: () => replay(device, run, arrays),
  }));
};

/** Every schedule of the golden data. */
export const goldenSchedules: GoldenSet = async (reader: GoldenReader) => {
  const { schedules } = await reader.json("optim.json");
  const entries: [string, Any][] = Object.entries(schedules);
  return entries.map(([name, { values, ...options }]) => ({
    name,
    run: () => {
      const schedule = scheduleOf(name, options);
      const ours = values.map((_: number, step: number) => schedule(step));
      const off = deviation(ours, values, 0, 1e-14);
      check(off <= 1, `off by ${off} tolerances`);
    },
  }));
};
