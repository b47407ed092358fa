/**
 * The options of `train` that say how layers are solved, and how closely.
 *
 * @module
 */

import type { Relaxation } from "../mgrit/mod.ts";
import {
  adjustable,
  choice,
  integer,
  list,
  number,
  section,
} from "./option.ts";

/** Of the numbers in a list; help and default are the list's. */
const item = { help: "", default: 1 };

/** The options, with their defaults, in the order of `--help`. */
export const solverOptions = {
  ...section("Solver", {
    ...adjustable({
      solver: choice(["mgrit", "serial"], {
        help: "serial: one layer after the other; mgrit: multigrid over the " +
          "layers, many at a time and nearly exact; the rest is for this one",
        default: "mgrit",
      }),
      levels: list<number, readonly number[] | undefined>(
        integer({ ...item, least: 1 }),
        {
          help: "Levels, the finest of which has all layers; 1,2 is serial " +
            "forward and two levels backward",
          default: undefined,
          defaultText: "2, or 1 where the layers are too few",
          placeholder: "N[,N]",
          most: 2,
        },
      ),
      coarsening: list<number>(integer({ ...item, least: 2 }), {
        help: "How many steps become one on the next level; of several " +
          "numbers each is for a level, and the last repeats",
        default: [2],
      }),
      relaxation: list<Relaxation>(
        choice(["F", "FCF", "FCFCF"], { help: "", default: "F" }),
        {
          help: "F, FCF or FCFCF: relaxation of each level but the coarsest; " +
            "the last repeats",
          default: ["F", "FCF"],
          placeholder: "R,…",
        },
      ),
      cycle: choice(["V", "F"], {
        help: "F solves every level between once more on the way up",
        default: "V",
      }),
      guess: choice(["input", "zero", "skip", "nested", "previous"], {
        help: "What iterations start from: the block's input; zero; a coarse " +
          "solve instead of the first iteration; nested iteration; the last " +
          "batch's states",
        default: "input",
      }),
    }),
    forwardIterations: integer({
      help: "Iterations forward before the final sweep; accuracy control may " +
        "change them, and a resumed run keeps what it made of them",
      default: 1,
      least: 0,
    }),
    backwardIterations: integer({
      help: "The same backward",
      default: 1,
      least: 0,
    }),
    ...adjustable({
      execution: choice(["sequential", "stacked"], {
        help: "stacked: the layers of a sweep in one batch, for devices that " +
          "one layer doesn't fill; equal but for rounding",
        default: "sequential",
      }),
    }),
  }),
  ...adjustable(
    section("Accuracy control of the solver", {
      probeEvery: integer({
        help: "Steps between probes, which double the iterations for one " +
          "step to see what they change; 0: none",
        default: 50,
        least: 0,
      }),
      policy: choice(["double", "serial", "fixed"], {
        help: "What follows where a probe fails: twice the iterations from " +
          "then on; serial; nothing",
        default: "serial",
      }),
      indicator: choice(["ratio", "gradient", "both"], {
        help: "What probes look at: how iterations shrink the residual; how " +
          "wrong the gradient is",
        default: "both",
      }),
      largestRatio: number({
        help: "A probe fails where the last iteration leaves this share of " +
          "the residual",
        default: 1,
        above: 0,
      }),
      smallestCosine: number({
        help: "A probe fails where the cosine between the gradients without " +
          "and with doubled iterations is smaller",
        default: 0.95,
        least: -1,
        most: 1,
      }),
      mostIterations: integer({
        help: "A direction that would need more becomes serial",
        default: 4,
        least: 1,
      }),
      controlPatience: integer({
        help: "Probes in a row that must fail",
        default: 1,
        least: 1,
      }),
      wayBack: number<number | undefined>({
        help: "Share of the residual below which a direction that became " +
          "serial tries multigrid again",
        default: undefined,
        defaultText: "never",
        above: 0,
      }),
    }),
  ),
};
