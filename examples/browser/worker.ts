/** Trains a tiny GPT in a Web Worker, and posts the loss of each step. */

import {
  adamW,
  device,
  gptConfiguration,
  gptTask,
  tokensInMemory,
  train,
} from "../../mod.ts";

await device("auto"); // webgpu on a real GPU, else wasm
const text = "to be, or not to be, that is the question: ".repeat(8);
const task = gptTask({
  configuration: gptConfiguration({
    vocabulary: 256,
    context: 16,
    width: 32,
    heads: 2,
    layers: 2,
  }),
  tokens: tokensInMemory(new TextEncoder().encode(text)),
  batch: 8,
});
const optimizer = adamW({ learningRate: 1e-2 });
for await (const event of train(task, { optimizer, steps: 20 })) {
  if (event.type === "step") globalThis.postMessage(event.loss);
}
