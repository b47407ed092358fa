/**
 * The test page for people: checks all sets on the devices of this browser.
 *
 * @module
 */

import type { GoldenReport } from "../golden_case.ts";
import { deviceSets, plainSets } from "../golden_sets.ts";
import { runInWorker, type WorkRequest } from "./work.ts";

const requests: readonly WorkRequest[] = [
  { device: "wasm", work: "threads" },
  ...Object.keys(plainSets).map((work) => ({ device: "wasm", work } as const)),
  ...(["wasm", "webgpu"] as const).flatMap((device) =>
    ["training", ...Object.keys(deviceSets)].map((work) => ({ device, work }))
  ),
];

/** What a person wants to know about a result. */
function summary(result: unknown): string {
  if (typeof result === "number") return `${result} threads`;
  if (Array.isArray(result)) {
    return `${result.length} losses, the last one ${result.at(-1)}`;
  }
  const { cases, failures } = result as GoldenReport;
  return [`${cases - failures.length} of ${cases} cases pass`, ...failures]
    .join("\n");
}

async function run(table: HTMLTableElement): Promise<void> {
  for (const request of requests) {
    const row = table.insertRow();
    row.insertCell().textContent = request.device;
    row.insertCell().textContent = request.work;
    const cell = row.insertCell();
    cell.textContent = "…";
    const start = performance.now();
    try {
      const text = summary(await runInWorker(request));
      const seconds = (performance.now() - start) / 1000;
      cell.textContent = `${text} (${seconds.toFixed(1)} s)`;
    } catch (error) {
      cell.textContent = String(error);
    }
  }
}

const button = document.querySelector("button")!;
button.onclick = () => {
  button.disabled = true;
  run(document.querySelector("table")!);
};
