import { assert, assertEquals } from "@std/assert";
import { multigrid, type MultigridOptions } from "../../mgrit/mod.ts";
import { chainOf, randomStep, settings } from "./chains.ts";

/** The sweeps of a solve, as level and kind. */
function sweepsOf(options: MultigridOptions<number>): string[] {
  const { sweeps } = multigrid(chainOf(16, randomStep), 1, options);
  return sweeps.map(({ level, kind }) => `${level} ${kind}`);
}

Deno.test("sweeps are told in the order in which they ran", () => {
  assertEquals(sweepsOf(settings(1, 2, ["F"], 1, "input")), ["0 final sweep"]);
  assertEquals(sweepsOf(settings(2, 2, ["FCF"], 1, "input")), [
    "0 F-relaxation",
    "0 C-relaxation",
    "0 F-relaxation",
    "0 residual",
    "1 restriction",
    "1 coarse solve",
    "0 correction",
    "0 final sweep",
  ]);
  assertEquals(sweepsOf(settings(3, 2, ["F"], 1, "skip")), [
    "2 coarse solve",
    "1 F-relaxation",
    "0 final sweep",
  ]);
  const fromLevel1 = [
    "1 F-relaxation",
    "1 residual",
    "2 restriction",
    "2 coarse solve",
    "1 correction",
  ];
  assertEquals(sweepsOf(settings(3, 2, ["F"], 0, "nested")), [
    "2 coarse solve",
    ...fromLevel1,
    "1 F-relaxation",
    "0 final sweep",
  ]);
  assertEquals(
    sweepsOf({ ...settings(3, 2, ["F"], 1, "zero"), cycle: "F" }),
    [
      "0 F-relaxation",
      "0 residual",
      "1 restriction",
      ...fromLevel1,
      ...fromLevel1,
      "1 F-relaxation",
      "0 correction",
      "0 final sweep",
    ],
  );
});

Deno.test("sweeps count their steps and launches", () => {
  let launches = 0;
  const chain = chainOf(16, randomStep);
  const { sweeps, evaluations } = multigrid(
    {
      ...chain,
      propagator: (level, steps) => {
        launches++;
        return chain.propagator(level, steps);
      },
      launches: () => launches,
    },
    1,
    settings(2, 4, ["FCF"], 1, "input"),
  );
  assertEquals(
    sweeps.map(({ kind, steps, launches }) => [kind, steps, launches]),
    [
      ["F-relaxation", 12, 3],
      ["C-relaxation", 4, 1],
      ["F-relaxation", 12, 3],
      ["residual", 4, 1],
      ["restriction", 4, 1],
      ["coarse solve", 4, 4],
      ["correction", 0, 0],
      ["final sweep", 16, 4],
    ],
  );
  assertEquals(evaluations, [48, 8]);
  assert(sweeps.every(({ milliseconds }) => milliseconds >= 0));
  assert(
    multigrid(chain, 1, settings(2, 4, ["F"], 1, "input")).sweeps.every((
      { launches },
    ) => launches === 0),
  );
});

Deno.test("independent steps are asked for together, in order", () => {
  const calls: [number, number[]][] = [];
  const chain = chainOf(22, randomStep);
  multigrid(
    {
      ...chain,
      propagator: (level, steps) => {
        calls.push([level.index, steps.map(({ n }) => n)]);
        return chain.propagator(level, steps);
      },
    },
    1,
    settings(2, 4, ["F"], 1, "zero"),
  );
  const relaxation = [
    [0, [0, 4, 8, 12, 16, 20]],
    [0, [1, 5, 9, 13, 17, 21]],
    [0, [2, 6, 10, 14, 18]],
    [0, [3, 7, 11, 15, 19]],
  ];
  assertEquals(calls, [
    ...relaxation,
    [1, [0, 1, 2, 3, 4]],
    ...[0, 1, 2, 3, 4].map((n) => [1, [n]]),
    ...relaxation,
  ]);
});
