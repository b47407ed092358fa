import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Device,
  device,
  mul,
  setDefaultDevice,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
} from "../../tensor/mod.ts";
import {
  loadCheckpoint,
  NonFiniteError,
  sgd,
  train,
  type TrainingTask,
  type TrainOptions,
} from "../../train/mod.ts";
import { nextScale } from "../../train/loss_scale.ts";
import { backgroundDevice } from "./background_device.ts";
import { blownUpGpt } from "./blown_up_gpt.ts";
import { assertSame, options as controlled, solver } from "./controlled_run.ts";
import { tinyGpt, tinyOptions } from "./tiny_gpt.ts";

const wasm = await device("wasm", { threads: 1 });

type Point = { readonly [name: string]: Tensor; readonly x: Tensor };

/**
 * ½ |x − 3|² times a power of two so large that the square of its gradient times
 * 2¹⁶ leaves the range of f32, from batch `first` on; without scaling it doesn't.
 */
function steepBowl(first: number): TrainingTask<Point> {
  return {
    name: "bowl",
    tokensPerBatch: 1,
    unit: "tokens",
    initialize: () => ({ x: tensor([0, 1]) }),
    loss: ({ x }, batch) =>
      mul(
        mul(0.5, sum(square(sub(x, 3)))),
        batch < first ? 1 : 2 ** 50,
      ),
    description: {},
  };
}

function options(
  steps: number,
  more: Partial<TrainOptions> = {},
): TrainOptions {
  return {
    optimizer: sgd({ learningRate: 2 ** -6, momentum: 0.5 }),
    clipNorm: 1,
    steps,
    ...more,
  };
}

/** The scales of the steps of a run, and where it ended. */
async function outcome(
  on: Device,
  given: TrainOptions,
): Promise<
  [scales: (number | undefined)[], values: number[], losses: number[]]
> {
  setDefaultDevice(on);
  try {
    const run = train(steepBowl(10), given);
    const events = await Array.fromAsync(run);
    const steps = events.filter((event) => event.type === "step");
    return [
      steps.map(({ lossScale }) => lossScale),
      [...await run.parameters.x.data()],
      steps.map(({ loss }) => loss),
    ];
  } finally {
    setDefaultDevice(wasm);
  }
}

Deno.test("loss scale: halved where the gradient is too large, and the step is taken again", async () => {
  const [none, expected, losses] = await outcome(wasm, options(20));
  assertEquals(none, Array(20).fill(undefined));
  // 2⁶⁴ is the largest power of two whose square isn't infinite.
  const scales = [
    ...Array(10).fill(2 ** 16),
    ...Array(10).fill(2 ** 12),
  ];
  for (const readInterval of [1, 8]) {
    const { device } = await backgroundDevice();
    const found = await outcome(
      device,
      options(20, { lossScale: 2 ** 16, readInterval }),
    );
    // A power of two changes no digit, on the way there and back.
    assertEquals(found[1], expected);
    assertEquals(found[2], losses);
    assertEquals(found[0], scales);
    device.close();
  }
});

Deno.test("loss scale: is part of a checkpoint", async () => {
  const folder = await Deno.makeTempDir({ prefix: "layerbraid_" });
  const given = { lossScale: 2 ** 16, folder };
  const [, expected] = await outcome(wasm, options(20));
  await outcome(wasm, options(12, given));
  const { manifest } = await loadCheckpoint(folder);
  assertEquals(manifest.lossScale, { factor: 2 ** 12, since: 10 });
  const [scales, values] = await outcome(
    wasm,
    options(20, { ...given, resume: true }),
  );
  assertEquals(scales, Array(8).fill(2 ** 12));
  assertEquals(values, expected);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("loss scale: multigrid and its probes are as without", async () => {
  const task = blownUpGpt(() => 1);
  const steep: typeof task = {
    ...task,
    loss: (parameters, batch, solver) =>
      mul(task.loss(parameters, batch, solver), batch < 3 ? 1 : 2 ** 50),
  };
  const given = {
    ...controlled(8, solver(1, { interval: 2 })),
    optimizer: sgd({ learningRate: 1e-3 }),
    clipNorm: 1,
  };
  const expected = train(steep, given);
  const before = await Array.fromAsync(expected);
  const run = train(steep, { ...given, lossScale: 2 ** 24 });
  const events = await Array.fromAsync(run);
  await assertSame(run.parameters, expected.parameters);
  const types = before.map(({ type, step }) => [type, step]);
  assertEquals(events.map(({ type, step }) => [type, step]), types);
  const scales = events.flatMap((event) =>
    event.type === "step" ? [event.lossScale!] : []
  );
  assertEquals(scales.slice(0, 3), Array(3).fill(2 ** 24));
  assert(scales[3] < 2 ** 24 && scales[3] > 1);
  assertEquals(scales.slice(4), Array(4).fill(scales[3]));
});

Deno.test("loss scale: what no scale mends ends the run", async () => {
  const task = tinyGpt();
  const wrong: typeof task = {
    ...task,
    loss: (parameters, batch) => {
      const loss = task.loss(parameters, batch);
      // The slope of a root at 0.
      return batch < 4 ? loss : sum(sqrt(mul(0, loss)));
    },
  };
  const run = train(wrong, tinyOptions(9, { lossScale: 2 ** 10 }));
  const error = await assertRejects(
    () => Array.fromAsync(run),
    NonFiniteError,
  );
  assertEquals(error.step, 3);
});

Deno.test("loss scale: twice as large after 2,000 steps, within bounds", () => {
  const scale = { factor: 2 ** 10, since: 5 };
  assertEquals(nextScale(scale, 2004), scale);
  assertEquals(nextScale(scale, 2005), { factor: 2 ** 11, since: 2005 });
  const largest = { factor: 2 ** 24, since: 0 };
  assertEquals(nextScale(largest, 9000), largest);
  for (const lossScale of [0, 0.5, 3, NaN, -2]) {
    assertThrows(
      () => train(steepBowl(0), options(1, { lossScale })),
      RangeError,
      "it must be a power of two ≥ 1",
    );
  }
});
