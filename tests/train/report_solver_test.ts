/** What a report tells of multigrid over the layers. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
} from "@std/assert";
import { completeControl, type DirectionState } from "../../mgrit/mod.ts";
import { lineChart, logarithmicTicks } from "../../train/chart.ts";
import type {
  ProbeEvent,
  SwitchEvent,
  TrainingEvent,
} from "../../train/event.ts";
import { type ReportDetails, trainingReport } from "../../train/report.ts";
import { solverWords } from "../../train/report_words.ts";

const layers = 16;
const multigrid = {
  levels: 2,
  coarsening: 4,
  relaxation: "F",
  guess: "input",
} as const;

function mode(iterations: number, serial = false) {
  return { serial, iterations, misses: 0 };
}

function start(step = 0): TrainingEvent {
  return {
    type: "start",
    step,
    steps: 8,
    parameters: 10,
    tokensPerStep: 10,
    unit: "tokens",
    solver: {
      layers,
      forward: { ...multigrid, iterations: 2 },
      backward: { ...multigrid, iterations: 1 },
      execution: "sequential",
      control: completeControl({ interval: 2 }),
      state: { forward: mode(2), backward: mode(1) },
    },
  };
}

function step(step: number): TrainingEvent {
  return {
    type: "step",
    step,
    loss: 3 - step / 8,
    learningRate: 1e-3,
    gradientNorm: 1,
    milliseconds: 100,
  };
}

function probe(step: number, ratio: number, cosine: number): ProbeEvent {
  const sweep = { level: 0, steps: 12, launches: 0 };
  const direction = {
    iterations: 3,
    residuals: [null, 2, 2 * ratio],
    finalResidual: 2 * ratio ** 2,
    exactIterations: 5,
    ratio,
    sweeps: [
      { ...sweep, kind: "F-relaxation", milliseconds: 10 * step },
      { ...sweep, kind: "residual", milliseconds: 1 },
    ],
  } as const;
  return {
    type: "probe",
    step,
    forward: direction,
    backward: { ...direction, ratio: undefined },
    gradient: {
      relativeError: Math.sqrt(1 - cosine ** 2),
      cosine,
      layers: {
        relativeError: Array.from({ length: layers }, () => 0.1),
        cosine: Array.from({ length: layers }, (_, i) => i === 3 ? -1 : 1),
      },
    },
    milliseconds: 5,
  };
}

const change: SwitchEvent = {
  type: "switch",
  step: 3,
  direction: "backward",
  from: mode(1),
  to: mode(2),
  reason: "gradient",
};

const events: readonly TrainingEvent[] = [
  start(),
  step(1),
  probe(1, 0.02, 0.999),
  step(2),
  step(3),
  probe(3, 0.5, 0.85),
  change,
  ...[4, 5, 6, 7, 8].map(step),
  { type: "evaluation", step: 8, loss: 2, metrics: {}, best: true },
  { type: "stop", step: 8, reason: "done" },
];

const details: ReportDetails = {
  title: "Title",
  machine: "wasm",
  corpus: "a poem",
  bytesPerToken: 1,
  configuration: [],
  samples: [],
  commands: [],
};

/** The SVG element of a chart. */
function chart(html: string, id: string): string {
  const found = new RegExp(
    `<svg class="[^"]+" role="img" aria-labelledby="${id}-title[\\s\\S]*?\\n</svg>`,
  ).exec(html);
  assert(found !== null, id);
  return found[0];
}

const html = trainingReport(events, details);

Deno.test("the solver's part has its pictures, each with a name", () => {
  assert(!/NaN|undefined|Infinity/.test(html));
  assert(!/<(script|link|img|iframe)|https?:|url\(|@import/.test(html));
  const ids = [...html.matchAll(/aria-labelledby="(\S+)-title (\S+)"/g)]
    .map(([, id]) => id);
  assertEquals(ids, [
    "loss",
    "rate",
    "norm",
    "speed",
    "cycle-forward",
    "cycle-backward",
    "modes",
    "ratio",
    "cosine",
    "gradient-error",
    "layers",
    "residual-forward",
    "residual-backward",
  ]);
  for (const id of ids) {
    assertStringIncludes(html, `<title id="${id}-title">`);
    assertStringIncludes(html, `<desc id="${id}-description">`);
  }
  assertStringIncludes(html, "2 iterations forward, 1 iteration backward");
});

Deno.test("where the iterations are exact for so few layers, that is told", () => {
  const first = start();
  if (first.type !== "start" || first.solver === undefined) throw first;
  const words = (
    layers: number,
    forward: DirectionState,
    backward: DirectionState,
  ): string =>
    solverWords({ ...first.solver!, layers, state: { forward, backward } });
  const exact = (layers: number): string =>
    `from the input; exact for ${layers} layers; probe every 2`;
  // Two intervals, each from where an iteration is exact; then three.
  assertStringIncludes(words(8, mode(1), mode(1)), exact(8));
  assertStringIncludes(words(12, mode(2), mode(2)), exact(12));
  assertStringIncludes(words(12, mode(0, true), mode(2)), exact(12));
  for (
    const approximate of [
      words(9, mode(1), mode(1)),
      words(12, mode(2), mode(1)),
      words(12, mode(0, true), mode(1)),
      words(8, mode(0, true), mode(0, true)),
    ]
  ) assert(!approximate.includes("exact"), approximate);
});

Deno.test("a serial direction is drawn, whatever its options say", () => {
  const first = start();
  if (first.type !== "start" || first.solver === undefined) throw first;
  for (
    const guess of ["input", "zero", "skip", "nested", "previous"] as const
  ) {
    const solver = {
      ...first.solver,
      forward: { ...multigrid, guess, levels: 1, iterations: 0 },
      backward: { ...multigrid, guess, iterations: 1 },
      state: { forward: mode(0, true), backward: mode(1) },
    };
    const html = trainingReport([{ ...first, solver }, step(1)], details);
    assertStringIncludes(html, 'id="cycle-forward');
    assertStringIncludes(html, 'id="cycle-backward');
  }
});

Deno.test("modes go from switch to switch, and reasons are told", () => {
  const modes = chart(html, "modes");
  const titles = [...modes.matchAll(/<svg x[^>]*><title>(.*?)<\/title>/g)]
    .map(([, title]) => title);
  assertEquals(titles, [
    "2 iterations, step 0 to 8",
    "1 iteration, step 0 to 3",
    "2 iterations, step 3 to 8",
  ]);
  const words = "After step 3: backward 1 → 2 iterations " +
    "(gradient cosine 0.85 &lt; 0.9).";
  assertStringIncludes(html, words);
  // The picture shows the cycle that the run began with.
  assertStringIncludes(html, "1 V-cycle from the input");
});

Deno.test("modes are told across sessions, without what was undone", () => {
  const { solver: _, ...serial } = start() as TrainingEvent & { type: "start" };
  const sessions = [
    ...events.slice(0, -2),
    { ...change, step: 7, from: mode(2), to: mode(4) },
    { ...serial, step: 5 },
    ...[6, 7, 8].map(step),
  ];
  const modes = chart(trainingReport(sessions, details), "modes");
  const titles = [...modes.matchAll(/<svg x[^>]*><title>(.*?)<\/title>/g)]
    .map(([, title]) => title);
  assertEquals(titles, [
    "2 iterations, step 0 to 5",
    "serial, step 5 to 8",
    "1 iteration, step 0 to 3",
    "2 iterations, step 3 to 5",
    "serial, step 5 to 8",
  ]);
});

Deno.test("a switch is told with the limits that held then", () => {
  const later = start(8);
  if (later.type !== "start" || later.solver === undefined) throw later;
  const control = completeControl({ smallestCosine: 0.123, largestRatio: 77 });
  const resumed = { ...later, solver: { ...later.solver, control } };
  const told = (report: string) => report.match(/<li>After step.*?<\/li>/g);
  assertEquals(
    told(trainingReport([...events, resumed], details)),
    told(trainingReport(events, details)),
  );
  assert(told(html)!.length > 0);
});

Deno.test("probes are drawn, but for what they didn't find", () => {
  const ratio = chart(html, "ratio");
  const dots = [...ratio.matchAll(/<title>(\w+) ([\d.]+), step (\d)<\/title>/g)]
    .map(([, ...parts]) => parts);
  assertEquals(dots, [["forward", "0.02", "1"], ["forward", "0.5", "3"]]);
  assertStringIncludes(ratio, '<polyline class="limit"');
  // Two corrections done and the final residual: the first has no residual.
  for (const direction of ["forward", "backward"]) {
    const lines = [
      ...chart(html, `residual-${direction}`).matchAll(/points="(.*?)"/g),
    ];
    assertEquals(lines.map(([, points]) => points.split(" ").length), [3, 3]);
  }
});

Deno.test("where probes don't look at the gradient, there is nothing on it", () => {
  const probes = events.map((event) => {
    if (event.type !== "probe") return event;
    const { gradient: _, forward, backward, ...rest } = event;
    return { ...rest, backward, forward: { ...forward!, ratio: undefined } };
  });
  const html = trainingReport(probes, details);
  for (const text of ["The gradient in use", 'id="cosine-', 'id="layers-']) {
    assert(!html.includes(text), text);
  }
  assertStringIncludes(
    html,
    "Convergence factor of both directions by step: no",
  );
});

Deno.test("one layer's wrong gradient is one dark row", () => {
  const map = chart(html, "layers");
  const [, cells] = /<svg class="heat".*?<path d="(.*?)" opacity="1"/.exec(
    map,
  )!;
  assertEquals(cells, "M0 3h1v1h-1zM1 3h1v1h-1z");
});

Deno.test("times are means over the probes", () => {
  const table = /<table class="phases">.*?<\/table>/s.exec(html)![0];
  const rows = [
    ...table.matchAll(
      /<th scope="row">(.*?)<.*?<rect[^>]* width="([\d.]+)%".*?>([\d.]+) ms</g,
    ),
  ].map(([, name, width, time]) => [name, Number(width), Number(time)]);
  const own = [["F-relaxation, level 0", 100, 20], [
    "residual, level 0",
    5,
    1,
  ]];
  assertEquals(rows, [...own, ...own]);
});

Deno.test("a run of serial layers has no such part", () => {
  const { solver: _, ...serial } = start() as TrainingEvent & { type: "start" };
  const plain = trainingReport([serial, step(1)], details);
  assert(!plain.includes("Multigrid over"));
  assertEquals(plain.match(/aria-labelledby/g)?.length, 4);
});

Deno.test("a solver without probes, and numbers that aren't finite", () => {
  const early = trainingReport([start(), step(1)], details);
  assertStringIncludes(early, "No probe was made");
  assert(!/NaN|undefined|Infinity/.test(early));
  // As a metrics file has them.
  const broken = JSON.parse(JSON.stringify([
    start(),
    step(1),
    {
      ...probe(1, NaN, NaN),
      forward: { ...probe(1, NaN, NaN).forward, residuals: [NaN, Infinity] },
    },
    {
      ...change,
      step: 1,
      to: { ...mode(1, true), locked: true },
      reason: "non-finite",
    },
    step(2),
  ])) as TrainingEvent[];
  const html = trainingReport(broken, details);
  assert(!/NaN|undefined|Infinity|null/.test(html));
  assertStringIncludes(html, "1 iteration → serial (numbers that aren&#39;t");
});

Deno.test("another run's losses are drawn beside", () => {
  const reference = { name: "a <run>", events: [...events] };
  const html = trainingReport(events, { ...details, reference });
  assertStringIncludes(html, ">a &lt;run&gt;</span>");
  assertStringIncludes(html, ">a &lt;run&gt;, validation</span>");
  assertEquals(chart(html, "loss").match(/<polyline/g)?.length, 5);
});

Deno.test("ticks of powers of ten span the values", () => {
  const cases: [number, number, number, number[]][] = [
    [0.004, 1.5, 4, [0.001, 0.01, 0.1, 1, 10]],
    [0.2, 0.9, 3, [0.2, 0.5, 1]],
    [1, 1, 3, [1, 2]],
    [1e-9, 1e5, 4, [1e-9, 1e-5, 0.1, 1e3, 1e7]],
  ];
  for (const [low, high, count, expected] of cases) {
    assertEquals(logarithmicTicks(low, high, count), expected);
  }
});

Deno.test("on a logarithmic axis equal ratios are equal distances", () => {
  const svg = lineChart({
    id: "id",
    title: "Title",
    description: "Description",
    unit: "step",
    height: 100,
    format: String,
    logarithmic: true,
    series: [{ class: "line", points: [[1, 0.01], [2, 1], [3, 100], [4, 0]] }],
  });
  const ys = /points="(.*?)"/.exec(svg)![1].split(" ").map((point) =>
    Number(point.split(",")[1])
  );
  // What isn't positive has no place.
  assertEquals(ys.length, 3);
  assertAlmostEquals(ys[0] - ys[1], ys[1] - ys[2], 0.02);
});
