/** The progress line, in a terminal and elsewhere. */

import { assert, assertEquals } from "@std/assert";
import { createProgress } from "../../cli/progress.ts";
import type { TrainingEvent } from "../../train/event.ts";

/** Clears the line from the cursor on. */
const clear = "\x1b[K";

function hasControls(text: string): boolean {
  return Array.from(text).some((character) => character < " ");
}

/** What is written for steps of 50 ms, 100 of them. */
function written(
  columns: number | undefined,
  colours: boolean,
  steps = 100,
): string[] {
  const pieces: string[] = [];
  let time = 0;
  const progress = createProgress({
    write: (text) => pieces.push(text),
    columns: columns === undefined ? undefined : () => columns,
    colours,
    now: () => time,
  });
  const events: TrainingEvent[] = [
    { type: "start", step: 0, steps: 200, parameters: 1, tokensPerStep: 100 },
  ];
  for (let step = 1; step <= steps; step++) {
    events.push({
      type: "step",
      step,
      loss: 2,
      learningRate: 1,
      gradientNorm: 1,
      milliseconds: step === 1 ? 900 : 50,
    });
  }
  events.push({ type: "evaluation", step: steps, loss: 2.5, best: true });
  events.push({ type: "stop", step: steps, reason: "interrupted" });
  for (const event of events) {
    if (event.type === "step") time += event.milliseconds;
    progress.update(event);
  }
  progress.end();
  return pieces;
}

Deno.test("in a terminal one line is rewritten", () => {
  const pieces = written(100, false);
  // One piece a line, from the first column on, and a line feed at the end.
  assertEquals(pieces.pop(), "\n");
  for (const piece of pieces) {
    assert(piece.startsWith("\r") && piece.endsWith(clear), piece);
    const line = piece.slice(1, -clear.length);
    assert(!hasControls(line), JSON.stringify(piece));
  }
  // Every 80 ms at most, so every second step.
  assert(pieces.length > 40 && pieces.length < 60, `${pieces.length}`);
  const last = pieces.at(-1)!;
  assert(last.includes("step 100/200"), last);
  assert(last.includes("loss  2.000"), last);
  assert(last.includes("validation  2.500"), last);
  // 100 tokens in 50 ms; the slow first step counts neither here nor below.
  assert(last.includes("tokens/s   2,000"), last);
  assert(last.includes("left 5.0 s"), last);
});

Deno.test("a narrow terminal gets what fits", () => {
  for (const piece of written(30, false).slice(0, -1)) {
    assert(piece.length - `\r${clear}`.length < 30, JSON.stringify(piece));
    assert(piece.includes("step"), piece);
  }
});

Deno.test("colours only where they are wanted", () => {
  assert(written(100, true).join("").includes("\x1b[1m"));
  assert(!written(100, false).join("").includes("m"));
});

Deno.test("elsewhere there are plain lines now and then", () => {
  const lines = written(undefined, true);
  // The first step, and the evaluation; ten seconds never pass.
  assertEquals(lines.length, 2);
  for (const line of lines) {
    assert(line.endsWith("\n") && !hasControls(line.slice(0, -1)), line);
  }
  assert(lines[1].startsWith("step 100/200   loss  2.000   validation  2.500"));
});
