import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Chain,
  defaultMultigrid,
  forwardPropagator,
  type Guess,
  hierarchy,
  multigrid,
  type MultigridOptions,
  numbers,
  type Relaxation,
  type Solution,
  type StateSpace,
} from "../../mgrit/mod.ts";
import { isExact } from "../../mgrit/multigrid.ts";
import { assertNear, chainOf, march, randomStep, settings } from "./chains.ts";

const relaxations: readonly Relaxation[] = ["F", "FCF", "FCFCF"];

/** Checks both counts of exact iterations, and that they are reported. */
function assertExact(
  steps: number,
  options: MultigridOptions<number>,
  intervals: number,
  perCycle: number,
): void {
  const exact = march(steps, 0.7, randomStep);
  const skipped = options.guess === "skip" ? 1 : 0;
  const iterations = Math.ceil(intervals / perCycle) + skipped;
  const solve = (iterations: number): Solution<number> =>
    multigrid(chainOf(steps, randomStep), 0.7, { ...options, iterations });
  const solution = solve(iterations + 1);
  assertEquals(solution.exactIterations, iterations);
  // Rounding of the corrections only
  assertNear(solution.states, exact, 0, 1e-13);
  assertNear(solution.residuals.slice(-1), [0], 0, 1e-13);
  assertNear([solve(iterations).finalResidual!], [0], 0, 1e-13);
  // The final sweep adds an interval more to the exact ones.
  const early = solve(Math.ceil((intervals - 1) / perCycle) + skipped);
  const { coarsePoints } = hierarchy(steps, options)[0];
  const last = coarsePoints.at(-1)!;
  assertNear([early.states[last]], [exact[last]], 0, 1e-13);
  // And the last interval is the one behind the last C-point, if there is one.
  const starts = coarsePoints.filter((point) => point < steps).length;
  const fewest = Math.ceil(starts / perCycle) + skipped;
  const enough = { ...options, iterations: fewest };
  assert(isExact(steps, enough));
  assertNear(solve(fewest).states, exact, 0, 1e-13);
  assert(!isExact(steps, { ...enough, iterations: fewest - 1 }));
}

Deno.test("multigrid is exact after ⌈M/(ν+1)⌉ iterations whatever the coarse steps are", () => {
  const guesses = ["zero", "input", "skip", "nested"] as const;
  const grids: [number, number | number[]][] = [
    [2, 2],
    [2, 3],
    [3, 2],
    [2, 4],
    [3, [3, 2]],
    [3, [2, 3]],
  ];
  for (const steps of [8, 16, 21, 24, 31]) {
    for (const [levels, coarsening] of grids) {
      for (const [sweeps, relaxation] of relaxations.entries()) {
        for (const guess of guesses) {
          for (const cycle of ["V", "F"] as const) {
            const intervals = Math.floor(steps / [coarsening].flat()[0]);
            if (levels === 3 && steps < 12) continue;
            assertExact(
              steps,
              {
                ...settings<number>(levels, coarsening, [relaxation], 1, guess),
                cycle,
              },
              intervals,
              sweeps + 1,
            );
          }
        }
      }
    }
  }
});

Deno.test("multigrid is exact on uneven points too, and with weights after M iterations", () => {
  const uneven: MultigridOptions<number> = {
    ...settings<number>(3, 2, ["F"], 1, "zero"),
    coarsening: [[0, 1, 5, 6, 7, 14, 19], 2],
  };
  assertExact(21, uneven, 6, 1);
  assertExact(21, { ...uneven, cycle: "F", guess: "nested" }, 6, 1);
  const even = settings<number>(2, 3, ["FCF"], 1, "input");
  assertExact(18, { ...even, weight: 0.7 }, 6, 1);
  assertExact(18, { ...even, weight: [1, 0.7] }, 6, 2);
});

Deno.test("sweeps over the coarsest level become its march", () => {
  const options = settings<number>(2, 4, ["F"], 2, "input");
  const solve = (coarseSweeps?: number): Solution<number> =>
    multigrid(chainOf(22, randomStep), 0.7, { ...options, coarseSweeps });
  assertEquals(solve(5).states, solve().states);
  assert(solve(2).states[22] !== solve().states[22]);
  assertEquals(solve(2).evaluations, [66, 2 * (5 + 2 * 5)]);
  // Exact C-points are no less so.
  for (const coarseSweeps of [1, 2, 3]) {
    assertExact(22, { ...options, coarseSweeps }, 5, 1);
    assertExact(
      22,
      { ...options, levels: 3, coarsening: [3, 2], coarseSweeps },
      7,
      1,
    );
  }
});

Deno.test("the serial solution stays what it is", () => {
  const exact = march(24, -0.4, randomStep);
  for (const relaxation of relaxations) {
    const { states, inputs, residuals } = multigrid(
      chainOf(24, randomStep),
      -0.4,
      settings(3, 2, [relaxation], 3, (point) => exact[point]),
    );
    // Nothing was computed yet that rounds differently from the march.
    assertEquals(residuals[0], 0);
    assertNear(residuals, [0, 0, 0], 0, 1e-14);
    assertNear(states, exact, 0, 1e-14);
    assertNear(inputs, exact.slice(0, -1), 0, 1e-14);
  }
});

Deno.test("one level is the serial march, bit for bit", () => {
  const { states, inputs, residuals, evaluations } = multigrid(
    chainOf(7, randomStep),
    0.3,
    { ...defaultMultigrid, levels: 1 },
  );
  const exact = march(7, 0.3, randomStep);
  assertEquals(states, exact);
  assertEquals(inputs, exact.slice(0, -1));
  assertEquals(residuals, []);
  assertEquals(evaluations, [7]);
});

Deno.test("step evaluations are those of the cost model", () => {
  const count = (
    levels: number,
    coarsening: number,
    relaxation: Relaxation[],
    iterations: number,
    guess: Guess<number>,
  ): readonly number[] =>
    multigrid(
      chainOf(32, randomStep),
      1,
      settings(levels, coarsening, relaxation, iterations, guess),
    ).evaluations;
  assertEquals(count(2, 4, ["F"], 1, "skip"), [32, 8]);
  assertEquals(count(2, 4, ["F"], 2, "skip"), [64, 24]);
  assertEquals(count(2, 4, ["F"], 3, "skip"), [96, 40]);
  assertEquals(count(2, 4, ["FCF"], 3, "skip"), [160, 40]);
  assertEquals(count(2, 4, ["F"], 1, "zero"), [64, 16]);
  assertEquals(count(3, 2, ["F", "FCF"], 2, "skip"), [64, 64, 24]);
  assertEquals(count(3, 4, ["F", "FCF"], 2, "skip"), [64, 36, 6]);
  assertEquals(count(2, 4, ["F"], 0, "input"), [32, 0]);
});

Deno.test("a relative tolerance compares with the first residual", () => {
  const step = (u: number, _: number, stride: number): number =>
    u / (1 + 0.1 * stride);
  const { residuals } = multigrid(chainOf(32, step), 1, {
    ...defaultMultigrid,
    iterations: 20,
    tolerance: { relative: 1e-3 },
  });
  const norms = residuals as number[];
  assert(norms.at(-1)! <= 1e-3 * norms[0] && norms.at(-2)! > 1e-3 * norms[0]);
  assertThrows(
    () =>
      multigrid(
        { ...chainOf(8, step), space: { ...numbers, norm: promised } },
        1,
        { ...defaultMultigrid, tolerance: { absolute: 1 } },
      ),
    TypeError,
    "set the number of iterations instead",
  );
});

function promised(states: readonly number[]): Promise<number> {
  return Promise.resolve(states.length);
}

Deno.test("a guess is asked once for each C-point", () => {
  const asked: number[] = [];
  multigrid(
    chainOf(22, randomStep),
    1,
    settings(2, 4, ["FCF"], 3, (point) => {
      asked.push(point);
      return 0;
    }),
  );
  assertEquals(asked, [4, 8, 12, 16, 20]);
});

Deno.test("the final residual is the next iteration's, with F-relaxation", () => {
  for (const levels of [2, 3]) {
    for (const guess of ["input", "zero", "skip", "nested"] as const) {
      const options = settings<number>(levels, 2, ["F", "FCF"], 5, guess);
      const all = multigrid(chainOf(24, randomStep), 1, options).residuals;
      for (let iterations = 1; iterations < 5; iterations++) {
        const { residuals, finalResidual } = multigrid(
          chainOf(24, randomStep),
          1,
          { ...options, iterations },
        );
        assertEquals(finalResidual, all[iterations]);
        assertEquals(residuals, all.slice(0, iterations));
      }
    }
  }
});

Deno.test("the final residual is the change that the last C-relaxation makes", () => {
  const { states, inputs, finalResidual } = multigrid(
    chainOf(22, randomStep),
    1,
    settings(2, 4, ["FCF"], 2, "input"),
  );
  const changes = [4, 8, 12, 16, 20].map((i) => states[i] - inputs[i]);
  assertEquals(finalResidual, Math.hypot(...changes));
});

Deno.test("norms are computed only where they are wanted", () => {
  let norms = 0;
  const chain: Chain<number> = {
    ...chainOf(16, randomStep),
    space: {
      ...numbers,
      norm: (states) => {
        norms++;
        return numbers.norm(states);
      },
    },
  };
  const options = settings<number>(2, 4, ["F"], 3, "skip");
  const measured = multigrid(chain, 1, options);
  assertEquals(norms, 3);
  const unmeasured = multigrid({ ...chain, measure: false }, 1, options);
  assertEquals(norms, 3);
  assertEquals(unmeasured.residuals, []);
  assertEquals(unmeasured.finalResidual, undefined);
  assertEquals(unmeasured.states, measured.states);
  assertThrows(
    () =>
      multigrid({ ...chain, measure: false }, 1, {
        ...options,
        tolerance: { absolute: 1 },
      }),
    TypeError,
    "a tolerance needs residuals that are measured",
  );
  assertEquals(
    multigrid(chain, 1, { ...options, levels: 1 }).finalResidual,
    undefined,
  );
});

Deno.test("a weight moves C-points by that part of the way", () => {
  const chain = chainOf(4, (u) => u);
  for (const weight of [0.25, 0.5, 1, 1.5]) {
    const { residuals, states } = multigrid(chain, 1, {
      ...settings<number>(2, 2, ["FCF"], 1, "zero"),
      weight,
    });
    // From 1, 0, 0 at the C-points to 1, ω, 0
    assertNear(residuals, [Math.hypot(1 - weight, weight)], 1e-15, 0);
    // The final C-relaxation goes all the way.
    assertEquals(states[2], 1);
  }
});

Deno.test("every state is freed once, but those of the solution", () => {
  interface Counted {
    readonly value: number;
  }
  const live = new Set<Counted>();
  const make = (value: number): Counted => {
    const state = { value };
    live.add(state);
    return state;
  };
  const space: StateSpace<Counted> = {
    axpy: (a, xs, ys) =>
      numbers.axpy(
        a,
        xs.map(({ value }) => value),
        ys.map(({ value }) => value),
      ).map(make),
    copy: ({ value }) => make(value),
    norm: (states) => numbers.norm(states.map(({ value }) => value)),
    dispose: (state) => assert(live.delete(state), "freed twice"),
  };
  const chain: Chain<Counted> = {
    steps: 22,
    space,
    propagator: forwardPropagator((from, layer, stride) => {
      assert(live.has(from), "used after it was freed");
      return make(randomStep(from.value, layer, stride));
    }),
  };
  const halve = (states: readonly Counted[]): Counted[] =>
    states.map(({ value }) => make(value / 2));
  const transfer = { restrict: halve, interpolate: halve };
  for (const levels of [1, 2, 3]) {
    for (const guess of ["input", "zero", "skip", "nested"] as const) {
      for (const transfers of [[], [transfer]]) {
        const first = make(1);
        const { states, inputs } = multigrid({ ...chain, transfers }, first, {
          ...settings(levels, 2, ["F", "FCF"], 3, guess),
          cycle: "F",
          weight: [1, 0.5],
        });
        for (const state of [first, ...states, ...inputs]) space.dispose(state);
        assertEquals(live.size, 0);
      }
    }
  }
});
