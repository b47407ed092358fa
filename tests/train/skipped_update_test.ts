import { assert, assertEquals } from "@std/assert";
import {
  type Device,
  device,
  mapTree,
  namedLeaves,
  sin,
  type Tensor,
  tensor,
  type Tree,
} from "../../tensor/mod.ts";
import {
  adafactor,
  adam,
  adamW,
  lars,
  type Optimizer,
  sgd,
} from "../../train/mod.ts";
import { gpuMissing } from "../tensor/webgpu_subject.ts";

const devices: Record<string, () => Promise<Device>> = {
  "reference": () => device("reference"),
  "wasm": () => device("wasm", { threads: 1 }),
  "webgpu": () => device("webgpu"),
};

const optimizers: Record<string, Optimizer> = {
  sgd: sgd({ learningRate: 0.1 }),
  "sgd with momentum": sgd({ learningRate: 0.1, momentum: 0.9 }),
  adam: adam({ learningRate: 0.1, amsgrad: true, weightDecay: 0.1 }),
  adamW: adamW({ learningRate: 0.1 }),
  lars: lars({ learningRate: 0.1, exclude: (_, x) => x.rank < 2 }),
  adafactor: adafactor({ learningRate: 0.1 }),
};

async function valuesOf(tree: Tree): Promise<unknown[]> {
  return await Promise.all(
    namedLeaves(tree).map(async ([name, x]) => [name, await x.data()]),
  );
}

for (const [deviceName, make] of Object.entries(devices)) {
  for (const [name, optimizer] of Object.entries(optimizers)) {
    Deno.test({
      name: `${name} on ${deviceName}: a negative scale changes no bit`,
      ignore: deviceName === "webgpu" && gpuMissing,
      fn: async () => {
        const device = await make();
        const filled = (value: number) => (x: Tensor): Tensor =>
          tensor(new Float32Array(x.size).fill(value), {
            shape: x.shape,
            device,
          });
        let parameters = {
          matrix: sin(tensor([[1, 2, 3], [4, 5, 6]], { device })),
          vector: sin(tensor([7, 8, 9, 10, 11], { device })),
        };
        let state = optimizer.init(parameters);
        const update = (gradient: number, scale: number): void => {
          ({ parameters, state } = optimizer.update(
            parameters,
            mapTree(filled(gradient), parameters),
            state,
            { scale: tensor(scale, { device }) },
          ));
        };
        update(0.5, 1);
        const before = [
          await valuesOf(parameters),
          await valuesOf(state.slots),
        ];
        for (const [gradient, scale] of [[NaN, -1], [1e38, -1], [1, NaN]]) {
          update(gradient, scale);
          const after = [
            await valuesOf(parameters),
            await valuesOf(state.slots),
          ];
          assertEquals(after, before, `${gradient}, ${scale}`);
        }
        update(0.5, 0.5);
        const [[, values]] = await valuesOf(parameters) as [[string, unknown]];
        const [[[, old]]] = before as [[string, unknown]][];
        assert(String(values) !== String(old));
        device.close();
      },
    });
  }
}
