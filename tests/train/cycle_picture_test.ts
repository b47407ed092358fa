/** The picture of a multigrid cycle. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  defaultMultigrid,
  type Direction,
  type MultigridOptions,
} from "../../mgrit/mod.ts";
import {
  cyclePhases,
  cyclePicture,
  cycleWords,
} from "../../train/cycle_picture.ts";

function picture(
  layers: number,
  options: Partial<MultigridOptions<never>>,
  direction: Direction = "forward",
): string {
  const complete = { ...defaultMultigrid, ...options };
  return cyclePicture({ id: "id", direction, layers, options: complete });
}

/** How many points of each kind each level has. */
function points(svg: string): Record<string, number>[] {
  return [...svg.matchAll(/<g class="points level-\d">(.*?)<\/g>/g)].map(
    ([, dots]) => {
      const names = [...dots.matchAll(/<circle class="(\w+)"/g)];
      const groups = Map.groupBy(names, ([, name]) => name);
      return Object.fromEntries(
        [...groups].map(([name, list]) => [name, list.length]),
      );
    },
  );
}

Deno.test("every level shows its C-points and its F-points", () => {
  assertEquals(points(picture(16, {})), [{ c: 5, f: 12 }, { coarse: 5 }]);
  assertEquals(points(picture(64, { levels: 3 })), [
    { c: 17, f: 48 },
    { c: 5, f: 12 },
    { coarse: 5 },
  ]);
  // Points 17 and 18 come after the last C-point.
  assertEquals(points(picture(18, {})), [{ c: 5, f: 14 }, { coarse: 5 }]);
  assertEquals(points(picture(7, { levels: 1 })), [{ coarse: 8 }]);
});

Deno.test("backward, points count from the last layer", () => {
  const first = (svg: string) =>
    [...svg.matchAll(/<circle class="c" cx="([\d.]+)"/g)].map(([, x]) =>
      Number(x)
    );
  const [forward, backward] = (["forward", "backward"] as const).map(
    (direction) => first(picture(18, {}, direction)),
  );
  const sum = forward[0] + backward[0];
  // The same points, seen in a mirror.
  for (const [i, x] of forward.entries()) {
    assert(Math.abs(x + backward[i] - sum) < 0.02, `${x} ${backward[i]}`);
  }
  assert(forward[0] < forward[1] && backward[0] > backward[1]);
});

Deno.test("sweeps come in the order in which the solver does them", () => {
  const phases = (options: Partial<MultigridOptions<never>>) =>
    cyclePhases(16, { ...defaultMultigrid, ...options }).map((
      { kind, level, depth, steps },
    ) => [kind, level, depth, steps]);
  const end = ["final sweep", 0, 4, 16];
  const cycle = [
    ["F-relaxation", 0, 3, 12],
    ["residual", 0, 1, 4],
    ["restriction", 1, 1, 4],
    ["coarse solve", 1, 4, 4],
    ["correction", 0, 0, 0],
  ];
  assertEquals(phases({}), [...cycle, end]);
  assertEquals(phases({ iterations: 0 }), [end]);
  assertEquals(phases({ iterations: 2, guess: "previous" }), [
    ...cycle,
    ...cycle,
    end,
  ]);
  assertEquals(phases({ iterations: 2, guess: "skip" }), [
    ["coarse solve", 1, 4, 4],
    ...cycle,
    end,
  ]);
  assertEquals(phases({ relaxation: "FCF" }), [
    cycle[0],
    ["C-relaxation", 0, 1, 4],
    ...cycle,
    end,
  ]);
  assertEquals(phases({ levels: 1 }), [["final sweep", 0, 16, 16]]);
  // Nobody knows where a tolerance ends a solve, or needs the states of a guess.
  assertEquals(
    phases({
      iterations: 2,
      tolerance: { relative: 0.5 },
      guess: () => {
        throw new Error("asked for a state");
      },
    }),
    [...cycle, ...cycle, end],
  );
});

Deno.test("every sweep that takes steps is drawn, as wide as they are long", () => {
  for (const layers of [16, 32, 64]) {
    for (const levels of [2, 3]) {
      const options = {
        ...defaultMultigrid,
        levels,
        coarsening: 2,
        iterations: 3,
      };
      const svg = picture(layers, options);
      const boxes = [
        ...svg.matchAll(
          /<g class="phase (?:\w+)"><title>([^,]+), level (\d): (\d+) step.*?x="([\d.]+)" .*? width="([\d.]+)"/g,
        ),
      ].map(([, kind, level, depth, x, width]) => ({
        name: `${kind} ${level} ${depth}`,
        x: Number(x),
        end: Number(x) + Number(width),
        perStep: Number(width) / Number(depth),
      }));
      assertEquals(
        boxes.map(({ name }) => name),
        cyclePhases(layers, options).filter(({ depth }) => depth > 0)
          .map(({ kind, level, depth }) => `${kind} ${level} ${depth}`),
      );
      for (const [i, { x, end, perStep }] of boxes.entries()) {
        // Coordinates have two digits.
        assert(Math.abs(perStep - boxes[0].perStep) < 0.02);
        assert(end <= 880);
        if (i > 0) assert(Math.abs(x - boxes[i - 1].end) < 0.02);
      }
    }
  }
});

Deno.test("a picture is the same each time, and has a name and words", () => {
  const svg = picture(32, { iterations: 2 }, "backward");
  assertEquals(picture(32, { iterations: 2 }, "backward"), svg);
  assert(!/NaN|undefined|Infinity/.test(svg));
  assertStringIncludes(svg, 'aria-labelledby="id-title id-description"');
  assertStringIncludes(svg, '<title id="id-title">');
  const words = cycleWords({
    id: "id",
    direction: "backward",
    layers: 32,
    options: { ...defaultMultigrid, iterations: 2 },
  });
  assertStringIncludes(svg, `<desc id="id-description">${words}</desc>`);
  // Twice 3 + 1 + 1 + 8, and 4.
  assertStringIncludes(words, "32 → 8 steps on 2 levels, 2 V-cycles");
  assertStringIncludes(words, "30 steps in sequence where the serial march");
  assertStringIncludes(
    cycleWords({
      id: "id",
      direction: "forward",
      layers: 9,
      options: { ...defaultMultigrid, levels: 1 },
    }),
    "serial, 9 layers one after the other",
  );
});
