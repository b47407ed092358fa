import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import { tokensInMemory } from "../../data/mod.ts";
import { evaluationCounts } from "../../mgrit/cost_model.ts";
import { compareGradients } from "../../mgrit/mod.ts";
import { gptConfiguration, type GptParameters } from "../../models/mod.ts";
import {
  device,
  dispose,
  getDefaultDevice,
  setDefaultDevice,
  type Tree,
} from "../../tensor/mod.ts";
import { gptTask, type TrainingTask } from "../../train/mod.ts";
import { type SettingEvent, tune, type TuneEvent } from "../../train/tune.ts";
import {
  ranked,
  recommend,
  trainArguments,
  worthwhile,
} from "../../train/tune_choice.ts";
import { measureCosts } from "../../train/tune_costs.ts";
import {
  batchGradient,
  measureAccuracy,
  measureConvergence,
  ratiosOf,
} from "../../train/tune_measurement.ts";
import {
  directionOptions,
  serialTime,
  type TrainingCosts,
  trainingTime,
  type TuneCandidates,
  type TuneSetting,
  tuneSettings,
} from "../../train/tune_setting.ts";
import { recommendationText, settingsTable } from "../../train/tune_table.ts";
import { backgroundDevice } from "./background_device.ts";

function smallGpt(layers = 16): TrainingTask<GptParameters> {
  const text = "to be, or not to be, that is the question: ".repeat(8);
  return gptTask({
    configuration: gptConfiguration({
      vocabulary: 256,
      context: 8,
      width: 8,
      heads: 2,
      layers,
      before: 1,
      endTime: 4,
    }),
    tokens: tokensInMemory(new TextEncoder().encode(text)),
    batch: 2,
  });
}

const quick: TuneSetting = {
  levels: 2,
  coarsening: 4,
  relaxation: "F",
  guess: "input",
  forward: 1,
  backward: 0,
};

const costs: TrainingCosts = {
  forward: 1,
  stateVjp: 1.5,
  fullVjp: 2,
  communication: 0.25,
  rest: 10,
};

Deno.test("settings are all combinations that a block allows, each once", () => {
  const candidates: TuneCandidates = {
    levels: [2, 3],
    coarsening: [2, 4, 8],
    relaxation: ["F", "FCF"],
    guess: ["input", "skip"],
    iterations: [["serial", 0], ["serial", 1], [1, 0], [1, 1], [2, 1]],
  };
  const settings = tuneSettings(16, candidates);
  const count = (part: Partial<TuneSetting>): number =>
    settings.filter((setting) =>
      Object.entries(part).every(([name, value]) =>
        setting[name as keyof TuneSetting] === value
      )
    ).length;
  const deepest = settings.filter(({ levels }) => levels === 3);
  // Three levels with c = 4 leave one step of sixteen layers.
  assert(deepest.every(({ coarsening }) => coarsening === 2));
  // Without cycles neither relaxation nor levels make a difference.
  assertEquals(count({ forward: "serial", backward: 0 }), 3);
  assertEquals(count({ guess: "skip", backward: 0 }), 0);
  // A skipped cycle relaxes nothing, but has levels: c of two, and of three.
  assertEquals(count({ guess: "skip", forward: 1, backward: 1 }), 3 + 1);
  assertEquals(count({ guess: "input", forward: 2, backward: 1 }), 2 * 3 + 2);
  assertEquals(tuneSettings(3, candidates), []);
});

Deno.test("a training step's time is both solves' and the rest's", () => {
  const layers = 16;
  const setting: TuneSetting = { ...quick, backward: 1 };
  const [fine, coarse] = evaluationCounts(
    layers,
    directionOptions(setting, "forward"),
  );
  assertEquals(
    trainingTime(layers, setting, costs, 1),
    (fine + coarse) * 1 + (fine - layers) * 1.5 + layers * 2 + coarse * 2.5 +
      10,
  );
  assertEquals(serialTime(layers, costs), layers * 3 + 10);
  // Layers on two devices: a message more.
  assertEquals(
    trainingTime(layers, { ...quick, forward: "serial" }, costs, 2),
    layers + 0.25 + layers / 2 * 2 + 0.25 + 10,
  );
});

/** Cosine and error of a setting, straight from the loss. */
async function accuracyOf(
  task: TrainingTask<GptParameters>,
  parameters: GptParameters,
  setting: TuneSetting,
  batch: number,
): Promise<{ cosine: number; relativeError: number; worstLayer: number }> {
  const lossAndGradient = valueAndGrad(task.loss);
  const right = lossAndGradient(parameters, batch);
  const found = lossAndGradient(parameters, batch, {
    forward: directionOptions(setting, "forward"),
    backward: directionOptions(setting, "backward"),
  });
  const { cosine, relativeError, layers } = await compareGradients(
    found.gradient.block,
    right.gradient.block,
  );
  dispose([right, found] as unknown as Tree);
  return { cosine, relativeError, worstLayer: Math.min(...layers.cosine) };
}

Deno.test("accuracy is the block gradient's, on the worst of the batches", async () => {
  using _ = (await device("wasm", { threads: 1 })).scope();
  const task = smallGpt();
  const parameters = task.initialize();
  const subject = { task, parameters, block: task.block! };
  const exact: Tree[] = [];
  for (let batch = 0; batch < 3; batch++) {
    exact.push((await batchGradient(subject, batch)).gradient);
  }
  const { milliseconds, ...accuracy } = await measureAccuracy(
    subject,
    quick,
    exact,
  );
  const each = [];
  for (let batch = 0; batch < 3; batch++) {
    each.push(await accuracyOf(task, parameters, quick, batch));
  }
  assertEquals(accuracy, {
    cosine: Math.min(...each.map(({ cosine }) => cosine)),
    worstLayer: Math.min(...each.map(({ worstLayer }) => worstLayer)),
    relativeError: Math.max(...each.map((one) => one.relativeError)),
  });
  assert(accuracy.worstLayer <= accuracy.cosine && milliseconds > 0);
  // Four intervals: exact after as many iterations, but for rounding of f32.
  const enough = await measureAccuracy(
    subject,
    { ...quick, forward: 4, backward: 4 },
    exact,
  );
  assert(enough.cosine > 1 - 1e-6 && enough.relativeError < 1e-4);
  assert(accuracy.relativeError > 100 * enough.relativeError);
});

Deno.test("ratios are those of a probe with twice the iterations", async () => {
  using _ = (await device("wasm", { threads: 1 })).scope();
  const task = smallGpt();
  const parameters = task.initialize();
  const subject = { task, parameters, block: task.block! };
  const fine = { ...quick, coarsening: 2 };
  const two: TuneSetting = { ...fine, forward: 2, backward: 1 };
  const history = await measureConvergence(subject, [fine, two], 1);
  const residuals = history.forward[0].residuals as number[];
  assertEquals(residuals.length, 4);
  assertEquals(history.backward[0].residuals.length, 2);
  const [one, other] = [
    await ratiosOf(subject, fine, history),
    await ratiosOf(subject, two, history),
  ];
  assertEquals(one.forward, residuals[1] / residuals[0]);
  assertEquals(other.forward, residuals[3] / residuals[2]);
  assertEquals(one.backward, other.backward);
  // Of a serial pass there is none.
  const { forward, backward } = await ratiosOf(
    subject,
    { ...fine, forward: "serial" },
    history,
  );
  assertEquals([forward, backward], [undefined, one.backward]);
});

Deno.test("costs of a device that computes in the background add up", async () => {
  await device("reference");
  const before = getDefaultDevice();
  const { device: background } = await backgroundDevice();
  setDefaultDevice(background);
  const task = smallGpt(8);
  const parameters = task.initialize();
  const subject = { task, parameters, block: task.block! };
  const live = background.stats().liveBuffers;
  const { costs, serial } = await measureCosts(subject, {
    ...quick,
    coarsening: 2,
  });
  assertEquals(background.stats().liveBuffers, live);
  for (const [name, time] of Object.entries(costs)) {
    assert(Number.isFinite(time) && time >= 0, `${name} takes ${time} ms`);
  }
  // By construction no less than was measured, whatever noise there is.
  assert(serialTime(8, costs) >= serial * (1 - 1e-9));
  setDefaultDevice(before);
  background.close();
});

Deno.test("tuning measures what could be faster, and leaves nothing behind", async () => {
  const wasm = await device("wasm", { threads: 1 });
  // So deep, and the second setting so slow, that noise in the time of a layer
  // makes no difference.
  const layers = 32;
  const task = smallGpt(layers);
  const parameters = task.initialize();
  const before = wasm.stats().liveBuffers;
  const slow: TuneSetting = {
    ...quick,
    coarsening: 2,
    forward: 16,
    backward: 16,
  };
  const options = {
    settings: [quick, slow, { ...quick, forward: "serial" as const }],
    batches: 1,
    devices: [4, 8, 16],
    communication: 0,
  };
  const events: TuneEvent[] = [];
  for await (const event of tune(task, parameters, options)) {
    events.push(event);
    // Left early, at the last one
    if (events.length === 3) break;
  }
  assertEquals(wasm.stats().liveBuffers, before);
  const [first, ...others] = events;
  assert(first.type === "costs");
  assertEquals([first.settings, first.slower], [2, 1]);
  for (const name of ["forward", "stateVjp", "fullVjp", "rest"] as const) {
    assert(first.costs[name] > 0, name);
  }
  assertEquals(first.serial, serialTime(layers, first.costs));
  assert(first.measuredSerial > 0);
  assertEquals(
    others.map((event) => event.type === "setting" && event.setting),
    [quick, { ...quick, forward: "serial" }],
  );
  for (const event of others) {
    assert(event.type === "setting");
    assertEquals(
      event.times,
      [4, 8, 16].map((count) =>
        trainingTime(layers, event.setting, first.costs, count)
      ),
    );
    // Eight intervals
    assertEquals(event.times[1], event.times[2]);
    assertEquals(
      event.ratio.forward === undefined,
      event.setting.forward === "serial",
    );
  }
  const { block: _, ...rest } = task;
  await assertRejects(
    () => tune(rest, parameters, options).next(),
    TypeError,
    'the task "gpt" has no block',
  );
  await assertRejects(
    () => tune(task, parameters, { ...options, settings: [] }).next(),
    RangeError,
    "tune: settings.length is 0",
  );
  dispose(parameters);
});

function measured(
  cosine: number,
  times: readonly number[],
  setting: Partial<TuneSetting> = {},
): SettingEvent {
  return {
    type: "setting",
    setting: { ...quick, ...setting },
    cosine,
    worstLayer: cosine - 0.1,
    relativeError: 0.1,
    ratio: { forward: 0.5 },
    milliseconds: 120,
    times,
  };
}

const devices = [2, 4, 8];
const accurate = measured(0.999, [110, 80, 70]);
const fast = measured(0.95, [70, 40, 45], { guess: "skip", forward: 2 });
const useless = measured(0.9, [90, 60, 50], { levels: 3 });
const diverged = measured(NaN, [10, 10, 10]);
const all = [useless, diverged, fast, accurate];

Deno.test("the fastest accurate setting is recommended, on as many devices as help", () => {
  const serial = {
    devices: 2,
    milliseconds: 100,
    speedUp: 1,
    cosine: 1,
  };
  const safe = { setting: accurate.setting, cosine: 0.999 };
  assertEquals(recommend(all, 100, devices, 0.99), [
    serial,
    { devices: 4, ...safe, milliseconds: 80, speedUp: 1.25 },
    { devices: 8, ...safe, milliseconds: 70, speedUp: 100 / 70 },
  ]);
  const bold = recommend(all, 100, devices, 0.9);
  assertEquals(
    bold.map(({ milliseconds, cosine }) => [milliseconds, cosine]),
    [[70, 0.95], [40, 0.95], [40, 0.95]],
  );
  assertEquals(recommend([], 100, devices, 0.9).map(({ speedUp }) => speedUp), [
    1,
    1,
    1,
  ]);
});

Deno.test("settings that nothing speaks for are known", () => {
  assertEquals(worthwhile(all), [fast, accurate]);
  // Faster on two devices than what is more accurate
  const early = measured(0.9, [60, 60, 50]);
  assertEquals(worthwhile([...all, early]), [fast, accurate, early]);
  assertEquals(worthwhile([fast, fast]).length, 1);
  assertEquals(ranked(all, 0.99), [accurate, fast, useless, diverged]);
  assertEquals(ranked(all, 0.9), [fast, useless, accurate, diverged]);
});

Deno.test("results as text", () => {
  const options = {
    serial: 100,
    measuredSerial: 97,
    devices,
    smallestCosine: 0.99,
  };
  const lines = settingsTable(all, options).split("\n");
  const words = lines.map((line) => line.trim().split(/ +/));
  assertEquals(words[0].slice(-4), ["here", "2", "4", "8"]);
  assertEquals(words[1], ["serial", "97.0", "100", "100", "100"]);
  assertEquals(
    lines[2].trim().replaceAll(/ +/g, " "),
    "2 4 F input 1/0 0.9990 0.899 0.10 0.50 – 120 110 80.0 70.0",
  );
  assertEquals(lines[3], "below cosine 0.99:");
  assertEquals(words.length, 4 + 3);
  assertEquals(words[6].slice(5, 7), ["–", "–"]);
  // More devices than two help nobody.
  const [heading] = settingsTable([measured(1, [50, 50, 50])], options)
    .split("\n");
  assertMatch(heading, /here +2$/);

  const text = recommendationText(recommend(all, 100, devices, 0.9));
  const rows = text.split("\n");
  assertEquals(rows.length, 3);
  assertStringIncludes(rows[2], "4 +");
  assertStringIncludes(rows[2], trainArguments(fast.setting));
  const none = recommendationText(recommend([], 100, devices, 0.9)).split("\n");
  assertEquals(none.length, 2);
  assertStringIncludes(none[1], "--solver serial");
  assertAlmostEquals(Number(/1\.\d+/.exec(none[1])![0]), 1);
});
