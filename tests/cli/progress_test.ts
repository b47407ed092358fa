/** The progress line, in a terminal and elsewhere. */

import { assert, assertEquals } from "@std/assert";
import { createProgress } from "../../cli/progress.ts";
import { completeControl } from "../../mgrit/mod.ts";
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
    {
      type: "start",
      step: 0,
      steps: 200,
      parameters: 1,
      tokensPerStep: 100,
      unit: "tokens",
    },
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
  events.push({
    type: "evaluation",
    step: steps,
    loss: 2.5,
    metrics: {},
    best: true,
  });
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

Deno.test("the line shows a task's measures, and what it counts", () => {
  let text = "";
  const progress = createProgress({
    write: (piece) => text += piece,
    columns: undefined,
    colours: false,
    now: () => 0,
  });
  const events: TrainingEvent[] = [
    {
      type: "start",
      step: 0,
      steps: 2,
      parameters: 1,
      tokensPerStep: 8,
      unit: "sentences",
    },
    {
      type: "step",
      step: 1,
      loss: 2,
      learningRate: 1,
      gradientNorm: 1,
      milliseconds: 4,
    },
    {
      type: "evaluation",
      step: 1,
      loss: 1,
      metrics: { exactMatch: 0.5, bleu: 27.25 },
      best: true,
    },
  ];
  for (const event of events) progress.update(event);
  const line = text.trimEnd().split("\n").at(-1)!;
  const expected =
    "validation  1.000   exact match 0.500   BLEU 27.25   sentences/s   2,000";
  assert(line.includes(expected), line);
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

/** What is written for a probe and what follows from it. */
function solverLines(columns: number | undefined): string {
  let text = "";
  const progress = createProgress({
    write: (piece) => text += piece,
    columns: columns === undefined ? undefined : () => columns,
    colours: false,
    now: () => 0,
  });
  const direction = (iterations: number, serial = false) => ({
    serial,
    iterations,
    misses: 0,
  });
  const multigrid = {
    levels: 2,
    coarsening: 4,
    relaxation: "F",
    iterations: 1,
    guess: "input",
  } as const;
  const probe = (iterations: number, ratio?: number) => ({
    iterations,
    residuals: [1, 0.5],
    finalResidual: 0.1,
    exactIterations: 8,
    ratio,
    sweeps: [],
  });
  const step = (step: number): TrainingEvent => ({
    type: "step",
    step,
    loss: 2,
    learningRate: 1,
    gradientNorm: 1,
    milliseconds: 50,
  });
  const events: TrainingEvent[] = [
    {
      type: "start",
      step: 0,
      steps: 1200,
      parameters: 1,
      tokensPerStep: 100,
      unit: "tokens",
      solver: {
        layers: 32,
        forward: { ...multigrid, iterations: 2 },
        backward: multigrid,
        execution: "sequential",
        control: completeControl({ wayBack: 0.5 }),
        state: { forward: direction(2), backward: direction(1) },
      },
    },
    step(1),
    {
      type: "probe",
      step: 1001,
      forward: probe(4, 1.25),
      backward: probe(2),
      gradient: {
        relativeError: 0.5,
        cosine: 0.87,
        layers: { relativeError: [0.5], cosine: [0.87] },
      },
      milliseconds: 1,
    },
    {
      type: "switch",
      step: 1001,
      direction: "forward",
      from: direction(2),
      to: direction(2, true),
      reason: "ratio",
    },
    {
      type: "switch",
      step: 1001,
      direction: "backward",
      from: direction(1),
      to: direction(2),
      reason: "gradient",
    },
    {
      type: "switch",
      step: 1100,
      direction: "forward",
      from: direction(2, true),
      to: direction(2),
      reason: "recovered",
    },
    {
      type: "switch",
      step: 1101,
      direction: "backward",
      from: direction(2),
      to: direction(2, true),
      reason: "non-finite",
    },
    { type: "evaluation", step: 1101, loss: 2.5, metrics: {}, best: true },
  ];
  for (const event of events) progress.update(event);
  progress.end();
  return text;
}

const told = [
  "step 1,001: probe: ρ 1.25 forward, – backward; gradient cosine 0.87, " +
  "error 50 %",
  "step 1,001: switch: forward 2 iterations → serial (ρ 1.25 ≥ 1)",
  "step 1,001: switch: backward 1 → 2 iterations (gradient cosine 0.87 < 0.9)",
  "step 1,100: switch: forward serial → 2 iterations (ρ < 0.5)",
  "step 1,101: switch: backward 2 iterations → serial (numbers that aren't " +
  "finite)",
];

Deno.test("probes and switches have lines, and the mode a place in each", () => {
  const lines = solverLines(undefined).trimEnd().split("\n");
  assertEquals(lines.slice(1, -1), told);
  assert(lines[0].endsWith("   mgrit 2/1"), lines[0]);
  assert(lines.at(-1)!.endsWith("   mgrit 2/serial   ρ 1.25/–"), lines.at(-1));
});

Deno.test("in a terminal those lines stay above the one that is rewritten", () => {
  const lines = solverLines(120).split("\n");
  // Each replaces the line in place, which is written anew below it.
  assertEquals(
    lines.slice(0, -2).map((line) => line.split("\r").at(-1)),
    told.map((line) => line + clear),
  );
  assert(lines.at(-2)!.includes("mgrit 2/serial"), lines.at(-2));
});
