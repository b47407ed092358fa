/**
 * Does one piece of work for the test page, on a device of its own.
 *
 * @module
 */

import { readSafetensors } from "../../models/mod.ts";
import { device } from "../../tensor/mod.ts";
import { type GoldenReader, runGolden } from "../golden_case.ts";
import { deviceSets, plainSets } from "../golden_sets.ts";
import { countThreads } from "./thread_pool.ts";
import { trainingLosses } from "./training.ts";
import type { WorkAnswer, WorkRequest } from "./work.ts";

async function read(name: string): Promise<Response> {
  const response = await fetch(`/golden/${name}`);
  if (!response.ok) throw new Error(await response.text());
  return response;
}

const reader: GoldenReader = {
  text: async (name) => (await read(name)).text(),
  json: async (name) => (await read(name)).json(),
  arrays: async (name) => {
    const bytes = await (await read(name)).arrayBuffer();
    return readSafetensors(new Uint8Array(bytes)).arrays;
  },
};

async function resultOf(
  { device: name, gpu, work }: WorkRequest,
): Promise<unknown> {
  if (work === "threads") return await countThreads(2);
  const here = await device(name, name === "wasm" ? { threads: 2 } : { gpu });
  try {
    if (work === "training") return await trainingLosses();
    const set = { ...deviceSets, ...plainSets }[work];
    if (set === undefined) throw new Error(`there is no work "${work}"`);
    return await runGolden(await set(reader, here), here);
  } finally {
    here.close();
  }
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<WorkRequest>) => void;
  postMessage(answer: WorkAnswer): void;
};
scope.onmessage = async ({ data }) => {
  try {
    scope.postMessage({ result: await resultOf(data) });
  } catch (error) {
    const text = error instanceof Error ? error.stack : error;
    scope.postMessage({ error: String(text) });
  }
};
