/**
 * The start page: which devices this browser has.
 *
 * @module
 */

import { device, listAdapters } from "../tensor/mod.ts";

async function describeWasm(): Promise<string> {
  const cpu = await device("wasm");
  const { threads } = cpu;
  cpu.close();
  return `${threads} ${threads === 1 ? "thread" : "threads"}`;
}

async function describeWebgpu(): Promise<string> {
  const adapters = await listAdapters();
  if (adapters.length === 0) return "no adapter";
  return adapters
    .map(({ name, software }) => software ? `${name} (in software)` : name)
    .join(", ");
}

const list = document.querySelector("dl")!;
for (
  const [name, describe] of Object.entries({
    wasm: describeWasm,
    webgpu: describeWebgpu,
  })
) {
  const term = document.createElement("dt");
  const description = document.createElement("dd");
  term.textContent = name;
  description.textContent = await describe();
  list.append(term, description);
}
