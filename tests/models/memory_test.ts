import { assert, assertEquals } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import {
  bertConfiguration,
  bertFromHuggingFace,
  bertToHuggingFace,
  classifierConfiguration,
  classifierFromBert,
  classifierFromHuggingFace,
  dealLayers,
  gptConfiguration,
  gptLoss,
  type GptParameters,
  initializeBert,
  initializeGpt,
  splitLayers,
} from "../../models/mod.ts";
import {
  type Device,
  device,
  dispose,
  leaves,
  tensor,
  type Tree,
} from "../../tensor/mod.ts";
import { adam } from "../../train/mod.ts";
import { networks, type Parameters } from "./networks.ts";

const configuration = gptConfiguration({
  vocabulary: 64,
  context: 32,
  width: 32,
  heads: 4,
  layers: 6,
  tied: false,
});
const batch = 4;

/** Bytes that docs/tensors.md says a step needs. */
function neededBytes(parameters: number): number {
  const { context, width, heads, layers, vocabulary } = configuration;
  const rows = batch * context;
  const activations = layers * rows * (16 * width + heads + 4) +
    rows * (2 * width + vocabulary + 3);
  return 4 * (4 * parameters + activations);
}

async function trainSteps(
  cpu: Device,
  count: number,
): Promise<{ parameters: number; live: number[] }> {
  const ids = Int32Array.from({ length: batch * 33 }, (_, i) => i * 7 % 64);
  const part = (from: number): Int32Array<ArrayBuffer> =>
    ids.slice(from, from + batch * 32);
  const shape = [batch, 32];
  const tokens = tensor(part(0), { shape });
  const targets = tensor(part(1), { shape });
  const f = valueAndGrad((p: GptParameters) =>
    gptLoss(configuration, p, tokens, targets)
  );
  const optimizer = adam({ learningRate: 1e-3 });
  let parameters = initializeGpt(configuration, 0);
  let state = optimizer.init(parameters);
  const losses: number[] = [];
  const live: number[] = [];
  for (let step = 0; step < count; step++) {
    const { value, gradient } = f(parameters);
    ({ parameters, state } = optimizer.update(parameters, gradient, state));
    losses.push(await value.item());
    live.push(cpu.stats().liveBuffers, cpu.stats().liveBytes);
  }
  assert(losses[count - 1] < losses[0], "it doesn't learn");
  return {
    parameters: leaves(parameters).reduce((sum, x) => sum + x.size, 0),
    live,
  };
}

for (const name of ["reference", "wasm"] as const) {
  Deno.test(`${name}: 100 steps hold memory, and no more than needed`, async () => {
    const cpu = await device(name, { threads: 1 });
    const { parameters, live } = await trainSteps(
      cpu,
      name === "wasm" ? 100 : 3,
    );
    assertEquals(live.slice(-2), live.slice(0, 2));
    // Three trees (parameters and two moments), tokens and targets.
    assertEquals(live[1], 3 * 4 * parameters + 2 * 4 * batch * 32);
    const ratio = cpu.stats().peakBytes / neededBytes(parameters);
    assert(ratio < 1.5, `peak is ${ratio} times what backward needs`);
    cpu.close();
  });
}

Deno.test("a step of every network leaves its value and gradient behind only", async () => {
  const cpu = await device("wasm", { threads: 1 });
  for (const { name, make } of networks) {
    using _ = cpu.scope();
    const { parameters, loss } = make();
    const dropout = { probability: 0.1, seed: 0, batch: 0 };
    const before = cpu.stats().liveBuffers;
    const { value, gradient } = valueAndGrad((p: Parameters) =>
      loss(p, { dropout })
    )(parameters);
    await value.item();
    dispose([value, gradient]);
    assertEquals(cpu.stats().liveBuffers, before, name);
  }
  cpu.close();
});

Deno.test("weights on their way leave no tensors behind but themselves", async () => {
  const cpu = await device("wasm", { threads: 1 });
  const shape = { vocabulary: 11, context: 4, width: 8, heads: 2 };
  const whole = bertConfiguration({ ...shape, layers: 4, tied: false });
  const split = splitLayers(whole, { before: 1, after: 1 });
  const head = { kind: "classes", outputs: 3 } as const;
  const classifier = classifierConfiguration(split, head);
  const live = (): number => cpu.stats().liveBuffers;
  const before = live();
  const parameters = initializeBert(whole, 0);
  const made = live();
  assertEquals(made - before, leaves(parameters).length);
  const arrays = await bertToHuggingFace(whole, parameters);
  assertEquals(live(), made);
  for (
    const load of [
      () => bertFromHuggingFace(split, arrays),
      () => ({ ...dealLayers(parameters, split) }),
      () => classifierFromBert(classifier, parameters, 0),
      () => classifierFromHuggingFace(classifier, arrays, 0),
    ]
  ) {
    const loaded: Tree = load();
    assertEquals(live() - made, leaves(loaded).length, `${load}`);
    dispose(loaded);
    assertEquals(live(), made, `${load}`);
  }
  dispose(parameters);
  assertEquals(live(), before);
  cpu.close();
});
