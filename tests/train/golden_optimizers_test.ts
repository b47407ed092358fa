import { assert, assertEquals, assertThrows } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import * as t from "../../tensor/mod.ts";
import { adafactor } from "../../train/adafactor.ts";
import { adam, adamW } from "../../train/adam.ts";
import { clipByGlobalNorm } from "../../train/gradient_clipping.ts";
import { lars } from "../../train/lars.ts";
import type { Optimizer } from "../../train/optimizer.ts";
import * as schedules from "../../train/schedule.ts";
import { sgd } from "../../train/sgd.ts";
import { distance } from "./distance.ts";
import { goldenArrays, goldenJson, goldenMissing } from "../golden.ts";

// deno-lint-ignore no-explicit-any -- hyperparameters as the recipe writes them
type Any = any;
type Parameters = Record<string, t.Tensor>;

const devices = {
  "reference f64": () => t.device("reference", { dtype: "f64" }),
  "reference f32": () => t.device("reference"),
  "wasm": () => t.device("wasm", { threads: 1 }),
};

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
function scheduleOf(kind: string, o: Any): schedules.Schedule {
  switch (kind.replace(/_0$/, "")) {
    case "linear_warmup":
      return schedules.linearWarmup(o);
    case "cosine_warmup":
      return schedules.cosineWarmup(o);
    case "torchbraid_cosine":
      return schedules.torchBraidCosine(o);
    case "constant_warmup":
      return schedules.constantWarmup(o);
    case "inverse_sqrt":
      return schedules.inverseSqrt(o);
    case "noam":
      return schedules.noam({ ...o, dimension: o.d_model });
    default:
      throw new Error(`schedule ${kind} isn't covered`);
  }
}

/** Replays a golden run; the largest deviations it shows. */
async function replay(
  device: t.Device,
  run: Any,
  arrays: ReturnType<typeof goldenArrays>,
): Promise<{ parameters: number; loss: number; norm: number }> {
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
    ? schedules.constant()
    : scheduleOf(run.schedule.kind, run.schedule);
  let parameters: Parameters = Object.fromEntries(
    names.map((name) => [name, read(`init.${name}`)]),
  );
  let state = optimizer.init(parameters);
  const off = { parameters: 0, loss: 0, norm: 0 };
  const note = (key: keyof typeof off, a: number, b: number): void => {
    off[key] = Math.max(off[key], Math.abs(a - b));
  };
  for (let step = 0; step < run.lr.length; step++) {
    const { value, gradient } = loss(parameters);
    note("loss", await value.item(), run.loss[step]);
    const { norm, scale } = clipByGlobalNorm(
      gradient,
      run.clipGlobalNorm ?? 1,
    );
    note("norm", await norm.item(), run.gradNormBeforeClip[step]);
    const learningRate = optimizer.learningRate * schedule(step);
    note("parameters", learningRate, run.lr[step]);
    ({ parameters, state } = optimizer.update(parameters, gradient, state, {
      learningRate,
      ...(run.clipGlobalNorm === null ? {} : { scale }),
    }));
    for (const name of names) {
      const row = await parameters[name].data();
      const { values } = arrays[`${run.name}/${name}`];
      const from = (step + 1) * row.length;
      off.parameters = Math.max(
        off.parameters,
        distance(row, values.subarray(from, from + row.length)),
      );
    }
  }
  assertEquals(state.step, run.lr.length);
  return off;
}

for (const [deviceName, make] of Object.entries(devices)) {
  Deno.test({
    name: `golden optimizers on ${deviceName}`,
    ignore: goldenMissing,
    fn: async () => {
      const device = await make();
      const arrays = goldenArrays("optim.safetensors");
      const { optimisers } = goldenJson("optim.json");
      assert(optimisers.length > 0);
      for (const run of optimisers) {
        const off = await replay(device, run, arrays);
        // The tolerances of the recipe: in single precision Adam's first steps
        // divide rounding by the root of small second moments.
        const limit = device.floatDtype === "f64"
          ? 1e-12
          : run.algorithm.startsWith("Adam")
          ? 5e-5
          : 1e-5;
        for (const [key, value] of Object.entries(off)) {
          assert(
            value <= limit,
            `${run.name}: ${key} off by ${value}, more than ${limit}`,
          );
        }
      }
      device.close();
    },
  });
}

Deno.test({
  name: "golden schedules",
  ignore: goldenMissing,
  fn: () => {
    const cases: [string, Any][] = Object.entries(
      goldenJson("optim.json").schedules,
    );
    assert(cases.length > 0);
    for (const [name, { values, ...options }] of cases) {
      const ours = values.map((_: number, t: number) =>
        scheduleOf(name, options)(t)
      );
      assert(distance(ours, values) <= 1e-14, name);
    }
  },
});

Deno.test("a schedule without warm-up starts at 1", () => {
  const options = { warmup: 0, total: 10 };
  assertEquals(schedules.constant()(7), 1);
  assertEquals(schedules.constantWarmup({ warmup: 0 })(0), 1);
  assertEquals(schedules.linearWarmup(options)(0), 1);
  assertEquals(schedules.cosineWarmup(options)(0), 1);
  assertEquals(schedules.torchBraidCosine(options)(0), 1);
  assertEquals(schedules.cosineWarmup({ ...options, cycles: 1 })(5), 0);
});

Deno.test("schedules refuse impossible options", () => {
  assertThrows(
    () => schedules.linearWarmup({ warmup: 10, total: 10 }),
    RangeError,
    "linearWarmup: total 10 must be more than warmup 10",
  );
  assertThrows(
    () => schedules.constantWarmup({ warmup: 1.5 }),
    RangeError,
    "constantWarmup: warmup is 1.5; it must be an integer ≥ 0",
  );
  assertThrows(() => schedules.inverseSqrt({ warmup: 0 }), RangeError);
  assertThrows(() => schedules.noam({ warmup: 4, dimension: 0 }), RangeError);
  assertThrows(
    () => schedules.cosineWarmup({ warmup: 0, total: 4, cycles: 0 }),
    RangeError,
  );
});
