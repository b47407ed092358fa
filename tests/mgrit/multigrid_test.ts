import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Chain,
  defaultMultigrid,
  forwardPropagator,
  type Guess,
  multigrid,
  numbers,
  type Relaxation,
  type StateSpace,
} from "../../mgrit/mod.ts";
import { assertNear, chainOf, march, randomStep, settings } from "./chains.ts";

const relaxations: readonly Relaxation[] = ["F", "FCF", "FCFCF"];

Deno.test("multigrid is exact after ⌈M/(ν+1)⌉ iterations whatever the coarse steps are", () => {
  for (const steps of [8, 16, 21, 24]) {
    const exact = march(steps, 0.7, randomStep);
    for (const [levels, coarsening] of [[2, 2], [2, 3], [3, 2], [2, 4]]) {
      for (const [sweeps, relaxation] of relaxations.entries()) {
        for (const guess of ["zero", "input", "skip"] as const) {
          const intervals = Math.floor(steps / coarsening);
          const iterations = Math.ceil(intervals / (sweeps + 1)) +
            (guess === "skip" ? 1 : 0);
          const options = settings<number>(
            levels,
            coarsening,
            [relaxation],
            iterations + 1,
            guess,
          );
          const solution = multigrid(chainOf(steps, randomStep), 0.7, options);
          assertEquals(solution.exactIterations, iterations);
          // Rounding of the corrections only
          assertNear(solution.states, exact, 0, 1e-13);
          assertNear(solution.residuals.slice(-1), [0], 0, 1e-13);
          // The final sweep adds an interval more to the exact ones.
          const cycles = Math.ceil((intervals - 1) / (sweeps + 1)) +
            (guess === "skip" ? 1 : 0);
          const early = multigrid(chainOf(steps, randomStep), 0.7, {
            ...options,
            iterations: cycles,
          });
          const last = intervals * coarsening;
          assertNear([early.states[last]], [exact[last]], 0, 1e-13);
        }
      }
    }
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
  for (const levels of [1, 2, 3]) {
    for (const guess of ["input", "zero", "skip"] as const) {
      const first = make(1);
      const { states, inputs } = multigrid(
        chain,
        first,
        settings(levels, 2, ["F", "FCF"], 3, guess),
      );
      for (const state of [first, ...states, ...inputs]) space.dispose(state);
      assertEquals(live.size, 0);
    }
  }
});
