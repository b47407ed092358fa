/**
 * The record of a run: `metrics.jsonl`, an event a line.
 *
 * @module
 */

import { replaceFile } from "./durable_files.ts";
import type { TrainingEvent } from "./event.ts";

/** The file's path in the folder of a run. */
export function metricsPath(run: string): string {
  return `${run}/metrics.jsonl`;
}

/**
 * The events in the record of a run, oldest first. A line that a killed process
 * left half written is passed over.
 */
export async function readMetrics(run: string): Promise<TrainingEvent[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(metricsPath(run));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return text.split("\n").flatMap((line) => {
    try {
      return [complete(JSON.parse(line) as TrainingEvent)];
    } catch {
      return [];
    }
  });
}

/** An event with what records lacked before tasks had units and metrics. */
function complete(event: TrainingEvent): TrainingEvent {
  switch (event.type) {
    case "start":
      return { ...event, unit: event.unit ?? "tokens" };
    case "evaluation":
      return { ...event, metrics: event.metrics ?? {} };
    default:
      return event;
  }
}

/**
 * Writes events on as they pass. When a run starts at a step, the record
 * forgets what came after it.
 */
export async function* recordMetrics(
  run: string,
  events: AsyncIterable<TrainingEvent>,
): AsyncGenerator<TrainingEvent, void, void> {
  for await (const event of events) {
    if (event.type === "start") await forgetAfter(run, event.step);
    await Deno.writeTextFile(metricsPath(run), formatLine(event), {
      append: true,
    });
    yield event;
  }
}

async function forgetAfter(run: string, step: number): Promise<void> {
  const kept = step === 0
    ? []
    : (await readMetrics(run)).filter((event) => event.step <= step);
  const text = kept.map(formatLine).join("");
  await replaceFile(metricsPath(run), new TextEncoder().encode(text));
}

function formatLine(event: TrainingEvent): string {
  return JSON.stringify(event) + "\n";
}
