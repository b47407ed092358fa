import { assertEquals, assertThrows } from "@std/assert";
import {
  defaultMultigrid,
  hierarchy,
  multigrid,
  type MultigridOptions,
} from "../../mgrit/mod.ts";
import { chainOf, randomStep } from "./chains.ts";

Deno.test("options that can't work say why", () => {
  const table: [Record<string, unknown>, string][] = [
    [
      { levels: 3 },
      "levels: 3 with coarsening factor 4 leaves 1 step on level 2 of a " +
      "block of 16 layers; at least 2 are needed",
    ],
    [
      { levels: 4, coarsening: [2, 4] },
      "levels: 4 with coarsening factors 2, 4 leaves 0 steps on level 3 of a " +
      "block of 16 layers; at least 2 are needed",
    ],
    [
      { coarsening: 4, fewestCoarseSteps: 5 },
      "levels: 2 with coarsening factor 4 leaves 4 steps on level 1 of a " +
      "block of 16 layers; at least 5 are needed",
    ],
    [
      { coarsening: [[0]] },
      "levels: 2 with coarsening factors [0] leaves 0 steps on level 1",
    ],
    [{ levels: 0 }, "levels 0 must be an integer ≥ 1"],
    [{ levels: 1.5 }, "levels 1.5 must be an integer ≥ 1"],
    [{ fewestCoarseSteps: 0 }, "fewestCoarseSteps 0 must be an integer ≥ 1"],
    [{ coarsening: 1 }, "coarsening 1 must be an integer ≥ 2"],
    [{ coarsening: NaN }, "coarsening NaN must be an integer ≥ 2"],
    [{ coarsening: [] }, "coarsening [] must have an element for every level"],
    [{ coarsening: [[]] }, "coarsening [] of level 0 must be indices"],
    [
      { coarsening: [[1, 4]] },
      "coarsening [1,4] of level 0 must be indices that ascend from 0 to at " +
      "most 16",
    ],
    [{ coarsening: [[0, 8, 4]] }, "coarsening [0,8,4] of level 0"],
    [{ coarsening: [[0, 8, 17]] }, "coarsening [0,8,17] of level 0"],
    [{ coarsening: [[0, 2.5, 8]] }, "coarsening [0,2.5,8] of level 0"],
    [{ iterations: -1 }, "iterations -1 must be an integer ≥ 0"],
    [{ iterations: 0, guess: "skip" }, "iterations 0 must be an integer ≥ 1"],
    [{ relaxation: "CF" }, "relaxation CF must be F, FCF or FCFCF"],
    [{ relaxation: ["F", "f"] }, "relaxation f must be F, FCF or FCFCF"],
    [{ relaxation: [] }, "relaxation [] must have an element"],
    [{ weight: 0 }, "weight 0 must be positive"],
    [{ weight: [1, Infinity] }, "weight Infinity must be positive"],
    [{ weight: [] }, "weight [] must have an element"],
    [{ coarseSweeps: 0 }, "coarseSweeps 0 must be an integer ≥ 1"],
    [{ cycle: "W" }, "cycle W must be V or F"],
    [
      { guess: "random" },
      "guess random must be input, zero, skip, nested or previous",
    ],
    [
      { tolerance: { absolute: NaN } },
      "tolerances NaN and 0 must be ≥ 0",
    ],
  ];
  const solve = (options: Record<string, unknown>): void => {
    const all: unknown = { ...defaultMultigrid, ...options };
    const chain = chainOf(16, randomStep);
    multigrid(chain, 1, all as MultigridOptions<number>);
  };
  for (const [options, message] of table) {
    assertThrows(() => solve(options), RangeError, `multigrid: ${message}`);
  }
  assertThrows(
    () => solve({ guess: "previous" }),
    TypeError,
    "guess previous needs the states of a solve before",
  );
});

Deno.test("levels keep every c-th point, each with its own c", () => {
  const levels = hierarchy(50, { levels: 4, coarsening: [4, 3, 2] });
  assertEquals(levels.map(({ steps }) => steps), [50, 12, 4, 2]);
  assertEquals(levels.map(({ points }) => points[1]), [1, 4, 12, 24]);
  assertEquals(levels[2].points, [0, 12, 24, 36, 48]);
  assertEquals(levels[2].coarsePoints, [2, 4]);
  assertEquals(levels[2].finePoints, [1, 3]);
  assertEquals(levels[3].coarsePoints, [2]);
  // Where points of other levels are, on a long chain (TorchBraid's test)
  const long = hierarchy(1200, { levels: 4, coarsening: [4, 3, 2] });
  assertEquals(long[3].points[23], 23 * 24);
  assertEquals(long[1].points[23], 92);
});

Deno.test("levels may keep any points", () => {
  const levels = hierarchy(12, { levels: 3, coarsening: [[0, 1, 5, 6, 9], 2] });
  assertEquals(levels[0].coarsePoints, [1, 5, 6, 9]);
  assertEquals(levels[0].finePoints, [2, 3, 4, 7, 8, 10, 11, 12]);
  assertEquals(levels[1].points, [0, 1, 5, 6, 9]);
  assertEquals(levels[2].points, [0, 5, 9]);
});
