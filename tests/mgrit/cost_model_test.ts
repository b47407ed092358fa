import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import {
  adjointPropagator,
  defaultMultigrid,
  forwardPropagator,
  multigrid,
  type MultigridOptions,
  numbers,
  type Relaxation,
} from "../../mgrit/mod.ts";
import {
  evaluationCounts,
  parallelTime,
  rehearse,
  type StepCosts,
} from "../../mgrit/cost_model.ts";

type Options = MultigridOptions<never>;

function settings(
  levels: number,
  coarsening: number | readonly number[],
  relaxation: Relaxation | readonly Relaxation[],
  iterations: number,
  guess: "input" | "zero" | "skip" | "nested",
): Options {
  return { levels, coarsening, relaxation, iterations, guess };
}

const serial: Options = { ...defaultMultigrid, levels: 1 };

/** Unit steps; VJPs cost two; nothing for messages. */
const units: StepCosts = {
  forward: 1,
  stateVjp: 2,
  fullVjp: 2,
  communication: 0,
};

/** Every combination that leaves a coarse level of at least two steps. */
function* combinations(): Generator<[number, Options]> {
  for (const steps of [8, 21, 32]) {
    for (
      const [levels, coarsening] of [
        [1, 2],
        [2, 2],
        [2, 4],
        [2, 3],
        [3, 2],
        [3, [4, 2]],
      ] as const
    ) {
      if (levels === 3 && coarsening !== 2 && steps < 16) continue;
      for (
        const relaxation of [
          "F",
          "FCF",
          "FCFCF",
          ["F", "FCF"],
          ["FCF", "F"],
        ] as const
      ) {
        for (const guess of ["input", "zero", "skip", "nested"] as const) {
          for (const iterations of [0, 1, 2, 3]) {
            if (guess === "skip" && iterations === 0) continue;
            const options = settings(
              levels,
              coarsening,
              relaxation,
              iterations,
              guess,
            );
            yield [steps, options];
            if (levels === 3) yield [steps, { ...options, cycle: "F" }];
          }
        }
      }
    }
  }
}

Deno.test("evaluation counts are those of the solver, forward and adjoint", () => {
  for (const [steps, options] of combinations()) {
    const step = (u: number, layer: number): number => u * (1 + layer / 100);
    for (
      const propagator of [
        forwardPropagator(step),
        adjointPropagator(steps, step),
      ]
    ) {
      const chain = { steps, space: numbers, propagator };
      assertEquals(
        evaluationCounts(steps, options),
        [...multigrid(chain, 1, options).evaluations],
        JSON.stringify([steps, options]),
      );
    }
  }
});

Deno.test("guesses made of states cost nothing, and need none here", () => {
  const input = settings(3, 2, ["F", "FCF"], 2, "input");
  const expected = evaluationCounts(32, input);
  const unasked = (): never => {
    throw new Error("asked for a state");
  };
  for (const guess of ["previous", unasked] as const) {
    assertEquals(evaluationCounts(32, { ...input, guess }), expected);
  }
});

Deno.test("evaluation counts follow the formulas of two levels", () => {
  for (const coarsening of [2, 4, 8]) {
    for (const [sweeps, relaxation] of (["F", "FCF"] as const).entries()) {
      for (const [s, guess] of (["input", "skip"] as const).entries()) {
        for (const k of [1, 2, 3]) {
          const steps = 64;
          const options = settings(2, coarsening, relaxation, k, guess);
          assertEquals(evaluationCounts(steps, options), [
            steps * ((sweeps + 1) * (k - s) + 1),
            steps / coarsening * (2 * (k - s) + s),
          ]);
        }
      }
    }
  }
  const three = ["F", "FCF"] as const;
  assertEquals(
    [2, 4].map((c) => evaluationCounts(32, settings(3, c, three, 2, "skip"))),
    [[64, 64, 24], [64, 36, 6]],
  );
});

Deno.test("one device takes all evaluations at their costs", () => {
  const costs: StepCosts = {
    forward: 1,
    stateVjp: 10,
    fullVjp: 100,
    communication: 1e6,
  };
  for (const [steps, options] of combinations()) {
    const [fine, ...coarse] = evaluationCounts(steps, options);
    const below = coarse.reduce((sum, count) => sum + count, 0);
    assertEquals(
      parallelTime("forward", steps, options, costs, 1),
      fine + below,
    );
    assertEquals(
      parallelTime("backward", steps, options, costs, 1),
      (fine - steps) * 10 + steps * 100 + below * 11,
    );
  }
});

Deno.test("more devices are never slower if messages are free, and than rounds none is faster", () => {
  for (const [steps, options] of combinations()) {
    const rounds = rehearse(steps, options).rounds.length;
    // Halving each device's share
    const times = [1, 2, 4, 8, 16, 32, 64].map((devices) =>
      parallelTime("forward", steps, options, units, devices)
    );
    const [one, ...more] = times;
    for (const [i, time] of more.entries()) {
      assert(time <= times[i] && time >= one / 2 ** (i + 1));
    }
    assertEquals(times.at(-1), rounds);
  }
});

Deno.test("the longest chain of steps with a device for each interval", () => {
  const steps = 64;
  for (const c of [2, 4, 8]) {
    const m = steps / c;
    const path = (
      direction: "forward" | "backward",
      iterations: number,
      guess: "input" | "skip",
      costs: StepCosts,
    ): number =>
      parallelTime(
        direction,
        steps,
        settings(2, c, "F", iterations, guess),
        costs,
        m,
      );
    const equal = { ...units, stateVjp: 0, fullVjp: 1 };
    // A cycle: F-relaxation c − 1, residual 1, right-hand side 1, march m.
    assertEquals(path("forward", 2, "input", equal), 2 * m + 3 * c + 2);
    assertEquals(path("forward", 1, "input", equal), m + 2 * c + 1);
    assertEquals(path("forward", 0, "input", equal), c);
    assertEquals(path("forward", 2, "skip", equal), 2 * m + 2 * c + 1);
    assertEquals(path("backward", 1, "skip", equal), m + c);
    assertEquals(path("backward", 0, "input", units), 2 * c);
  }
});

Deno.test("speed-ups of the usual settings over serial training", () => {
  const devices = [2, 4, 8, 16, 32];
  // Divisible by c P for every entry: shares are equal then.
  const steps = 256;
  const table: [number, number, Record<number, number[]>][] = [
    [0, 1, {
      2: [.86, 1.00, 1.09, 1.14, 1.17],
      4: [1.09, 1.33, 1.50, 1.60, 1.66],
      8: [1.26, 1.60, 1.85, 2.00, 2.09],
    }],
    [1, 1, {
      2: [.86, 1.09, 1.26, 1.37, 1.43],
      4: [1.20, 1.71, 2.18, 2.53, 2.74],
      8: [1.50, 2.40, 3.43, 4.36, 5.05],
    }],
    [2, 1, {
      2: [.63, .83, .98, 1.08, 1.14],
      4: [.89, 1.30, 1.68, 1.98, 2.17],
      8: [1.12, 1.81, 2.63, 3.40, 3.98],
    }],
    [3, 1, {
      2: [.50, .67, .80, .89, .94],
      4: [.71, 1.04, 1.37, 1.63, 1.79],
      8: [.89, 1.45, 2.13, 2.78, 3.28],
    }],
    [2, 2, {
      2: [.38, .50, .60, .67, .71],
      4: [.55, .80, 1.04, 1.23, 1.35],
      8: [.71, 1.14, 1.66, 2.13, 2.49],
    }],
  ];
  for (const [forward, backward, byCoarsening] of table) {
    for (const [c, expected] of Object.entries(byCoarsening)) {
      const options = (iterations: number): Options =>
        iterations === 0
          ? serial
          : settings(2, Number(c), "F", iterations, "skip");
      for (const [i, p] of devices.entries()) {
        const time =
          parallelTime("forward", steps, options(forward), units, p) +
          parallelTime("backward", steps, options(backward), units, p);
        // The table has two decimals.
        assertAlmostEquals(3 * steps / time, expected[i], 0.0051);
      }
    }
  }
});

Deno.test("messages: one wherever a sweep or the march leaves a device", () => {
  const messages = (options: Options, devices: number, steps = 32): number =>
    parallelTime(
      "forward",
      steps,
      options,
      { forward: 0, stateVjp: 0, fullVjp: 0, communication: 1 },
      devices,
    );
  const cycle = (p: number): number => {
    const residual = 1;
    const rightHandSide = 1;
    const march = p - 1;
    return residual + rightHandSide + march;
  };
  for (const p of [2, 4, 8]) {
    assertEquals(messages(settings(2, 4, "F", 0, "input"), p), 1);
    assertEquals(messages(settings(2, 4, "F", 1, "input"), p), cycle(p) + 1);
    assertEquals(messages(settings(2, 4, "F", 2, "skip"), p), p + cycle(p));
    // C-relaxation
    assertEquals(messages(settings(2, 4, "FCF", 1, "input"), p), cycle(p) + 2);
    assertEquals(messages(serial, p), p - 1);
  }
  assertEquals(messages(settings(2, 4, "F", 3, "input"), 1), 0);
  // No interval has two devices.
  assertEquals(
    messages(settings(2, 4, "F", 2, "input"), 8),
    messages(settings(2, 4, "F", 2, "input"), 100),
  );
});

Deno.test("what can't be solved has no cost", () => {
  assertThrows(
    () => evaluationCounts(8, settings(3, 4, "F", 1, "input")),
    RangeError,
    "leaves 0 steps on level 2",
  );
  assertThrows(
    () => parallelTime("forward", 8, defaultMultigrid, units, 0),
    RangeError,
    "devices 0 must be an integer ≥ 1",
  );
});
