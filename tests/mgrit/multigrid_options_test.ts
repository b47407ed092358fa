import { assertEquals, assertThrows } from "@std/assert";
import {
  defaultMultigrid,
  hierarchy,
  multigrid,
  type MultigridOptions,
  type Relaxation,
} from "../../mgrit/mod.ts";
import { chainOf, randomStep } from "./chains.ts";

Deno.test("options that can't work say why", () => {
  const solve = (options: Partial<MultigridOptions<number>>): void => {
    multigrid(chainOf(16, randomStep), 1, { ...defaultMultigrid, ...options });
  };
  assertThrows(
    () => solve({ levels: 3 }),
    RangeError,
    "levels: 3 with coarsening factor 4 leaves 1 step on level 2 of a block of 16 layers; at least 2 are needed",
  );
  assertThrows(() => solve({ levels: 0 }), RangeError, "levels 0 must be");
  assertThrows(
    () => solve({ coarsening: 1 }),
    RangeError,
    "coarsening 1 must be an integer ≥ 2",
  );
  assertThrows(
    () => solve({ coarsening: [] }),
    RangeError,
    "coarsening [] must have an element",
  );
  assertThrows(
    () => solve({ iterations: 0, guess: "skip" }),
    RangeError,
    "iterations 0 must be an integer ≥ 1",
  );
  assertThrows(
    () => solve({ relaxation: "CF" as Relaxation }),
    RangeError,
    "must be F, FCF or FCFCF",
  );
  assertThrows(
    () => solve({ tolerance: { absolute: NaN } }),
    RangeError,
    "tolerances NaN and 0 must be ≥ 0",
  );
});

Deno.test("levels keep every c-th point, each with its own c", () => {
  const levels = hierarchy(50, { levels: 4, coarsening: [4, 3, 2] });
  assertEquals(levels.map(({ steps }) => steps), [50, 12, 4, 2]);
  assertEquals(levels.map(({ points }) => points[1]), [1, 4, 12, 24]);
});
