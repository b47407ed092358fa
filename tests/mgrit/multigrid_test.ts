import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  adjointPropagator,
  arrays,
  type Chain,
  defaultMultigrid,
  forwardPropagator,
  type Guess,
  hierarchy,
  type LayerStep,
  multigrid,
  type MultigridOptions,
  numbers,
  type Relaxation,
  type Solution,
  type StateSpace,
} from "../../mgrit/mod.ts";

const relaxations: readonly Relaxation[] = ["F", "FCF", "FCFCF"];

/** Settings in the order of the published tables. */
function settings<X>(
  levels: number,
  coarsening: number,
  relaxation: readonly Relaxation[],
  iterations: number,
  guess: Guess<X>,
): MultigridOptions<X> {
  return { levels, coarsening, relaxation, iterations, guess };
}

function chainOf(steps: number, step: LayerStep<number>): Chain<number> {
  return { steps, space: numbers, propagator: forwardPropagator(step) };
}

/** Chaotic numbers in (−1, 1), so that no structure helps. */
function noise(seed: number): number {
  const x = Math.sin(seed * 12.9898 + 78.233) * 43758.5453;
  return 2 * (x - Math.floor(x)) - 1;
}

/** Each layer its own affine map; coarse steps are unrelated to the fine ones. */
function randomStep(u: number, layer: number, stride: number): number {
  const seed = 1000 * stride + layer;
  return noise(seed) * u + noise(seed + 0.5);
}

function march<X>(steps: number, first: X, step: LayerStep<X>): X[] {
  const states = [first];
  for (let n = 0; n < steps; n++) states.push(step(states[n], n, 1));
  return states;
}

function assertNear(
  actual: readonly (number | Promise<number> | null)[],
  expected: readonly (number | null)[],
  relative: number,
  absolute: number,
): void {
  assertEquals(actual.length, expected.length, `${actual}`);
  for (const [i, b] of expected.entries()) {
    const a = actual[i];
    if (a === null || b === null) assertEquals(a, b);
    else {
      assert(
        typeof a === "number" &&
          Math.abs(a - b) <= relative * Math.abs(b) + absolute,
        `${i}: ${a}, not ${b}`,
      );
    }
  }
}

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

Deno.test("backward Euler for u' = −u gives XBraid's residuals", () => {
  const step = (u: number, _: number, stride: number): number =>
    u / (1 + 0.5 * stride);
  const solve = (
    steps: number,
    levels: number,
    relaxation: Relaxation[],
    skip: boolean,
    iterations: number,
  ): readonly unknown[] =>
    multigrid(chainOf(steps, step), 1, {
      ...settings<number>(
        levels,
        2,
        relaxation,
        iterations,
        skip ? "skip" : () => 0.456,
      ),
      tolerance: { absolute: 1e-6 },
    }).residuals;
  const table: [ReturnType<typeof solve>, (number | null)[]][] = [
    [
      solve(10, 2, ["FCF"], true, 100),
      [null, 2.845538412744717e-2, 8.621939109118109e-4, 0],
    ],
    [
      solve(24, 2, ["FCF", "FCFCF"], true, 2),
      [null, 2.851112100563486e-2],
    ],
    [
      solve(24, 2, ["FCF", "FCFCF"], false, 2),
      [3.560860788267597e-1, 1.403540388257117e-2],
    ],
    [
      solve(24, 3, ["FCF", "FCFCF"], true, 2),
      [null, 5.856028969765677e-2],
    ],
    [
      solve(24, 3, ["FCF", "FCFCF"], false, 2),
      [3.560860788267597e-1, 1.420884531218444e-2],
    ],
    [
      solve(48, 3, ["FCF"], true, 3),
      [null, 5.856069740975835e-2, 2.454379257814183e-3],
    ],
    [
      solve(10, 3, ["FCF"], true, 3),
      [null, 5.819808898654712e-2, 1.641568299690448e-3],
    ],
  ];
  for (const [actual, expected] of table) {
    // Sixteen digits are given; differences of states lose some.
    assertNear(actual as number[], expected, 1e-12, 1e-15);
  }
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

Deno.test("options that can't work say why", () => {
  const solve = (options: Partial<MultigridOptions<number>>): void => {
    multigrid(chainOf(16, randomStep), 1, { ...defaultMultigrid, ...options });
  };
  assertThrows(
    () => solve({ levels: 3 }),
    RangeError,
    "levels 3 with coarsening 4 leaves 1 step on level 2 of a chain of 16",
  );
  assertThrows(() => solve({ levels: 0 }), RangeError, "levels 0 must be");
  assertThrows(
    () => solve({ coarsening: 1 }),
    RangeError,
    "coarsening 1 must be an integer ≥ 2",
  );
  assertThrows(() => solve({ coarsening: [] }), RangeError, "no factor");
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
  assertEquals(levels.map(({ stride }) => stride), [1, 4, 12, 24]);
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
    axpy: (a, x, y) => make(numbers.axpy(a, x.value, y.value)),
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

// dx/dt = tanh(W(t) x + b(t)): an ODE with its adjoint written by hand.
const nodes = 32;
const width = 3;
const h = 1 / 8;

function weight(n: number, i: number, j: number): number {
  return 0.6 * Math.sin(1 + 3 * i + 5 * j + 0.3 * n);
}

function activation(u: Float64Array, n: number): Float64Array {
  return Float64Array.from({ length: width }, (_, i) => {
    let sum = 0.2 * Math.cos(2 + i + 0.5 * n);
    for (let j = 0; j < width; j++) sum += weight(n, i, j) * u[j];
    return Math.tanh(sum);
  });
}

function step(u: Float64Array, n: number, stride: number): Float64Array {
  const f = activation(u, n);
  return u.map((x, i) => x + stride * h * f[i]);
}

/** dt (1 − tanh²) w: the cotangent of the argument of tanh. */
function inner(
  about: Float64Array,
  w: Float64Array,
  n: number,
  stride: number,
): Float64Array {
  const f = activation(about, n);
  return w.map((x, i) => stride * h * (1 - f[i] ** 2) * x);
}

function transposed(
  about: Float64Array,
  w: Float64Array,
  n: number,
  stride: number,
): Float64Array {
  const g = inner(about, w, n, stride);
  return w.map((x, j) => {
    let sum = x;
    for (let i = 0; i < width; i++) sum += weight(n, i, j) * g[i];
    return sum;
  });
}

const u0 = Float64Array.of(0.5, -0.25, 1);
const ode: Chain<Float64Array> = {
  steps: nodes,
  space: arrays,
  propagator: forwardPropagator(step),
};

function adjointOf(
  { inputs, states }: Pick<Solution<Float64Array>, "inputs" | "states">,
): Chain<Float64Array> {
  return {
    steps: nodes,
    space: arrays,
    propagator: adjointPropagator(
      nodes,
      (w, n, stride) =>
        transposed((stride === 1 ? inputs : states)[n], w, n, stride),
    ),
  };
}

/** All of ∂W, ∂b, layer by layer, by the adjoint's recorded inputs. */
function parameterGradient(
  { inputs }: Solution<Float64Array>,
  adjoint: Solution<Float64Array>,
): number[] {
  return inputs.flatMap((x, n) => {
    const g = inner(x, adjoint.inputs[nodes - 1 - n], n, 1);
    return [...[...g].flatMap((gi) => [...x].map((xj) => gi * xj)), ...g];
  });
}

Deno.test("a neural ODE's residuals, forward and backward", () => {
  const serial = multigrid(ode, u0, { ...defaultMultigrid, levels: 1 });
  const end = serial.states[nodes];
  const forward = (options: MultigridOptions<never>): readonly unknown[] =>
    multigrid(ode, u0, options).residuals;
  const backward = (options: MultigridOptions<never>): readonly unknown[] =>
    multigrid(adjointOf(serial), end, options).residuals;
  const table: [readonly unknown[], (number | null)[]][] = [
    [forward(settings(2, 4, ["F", "FCF"], 8, "zero")), [
      9.740204533031e-01,
      2.332325006835e-01,
      9.772076573353e-03,
      8.463355614056e-04,
      5.053326812872e-05,
      2.082214228318e-06,
      7.372817760099e-08,
      1.114668969232e-09,
    ]],
    [forward(settings(2, 4, ["F", "FCF"], 4, "skip")), [
      null,
      3.192961304420e-01,
      3.584031546981e-02,
      9.143468367861e-04,
    ]],
    [forward(settings(2, 4, ["FCF"], 4, "zero")), [
      9.564181032852e-01,
      1.849776825518e-01,
      8.596172826329e-03,
      2.010659933480e-04,
    ]],
    [forward(settings(3, 2, ["F", "FCF"], 3, "zero")), [
      1.042823447922,
      1.721595529022e-01,
      6.884078186014e-03,
    ]],
    [forward(settings(3, 2, ["FCF"], 3, "skip")), [
      null,
      2.533067984113e-01,
      1.249111108949e-02,
    ]],
    [backward(settings(2, 4, ["F", "FCF"], 4, "zero")), [
      1.347540974154,
      6.237100124454e-01,
      3.893032715595e-02,
      2.193484972838e-03,
    ]],
    [backward(settings(2, 4, ["F", "FCF"], 3, "skip")), [
      null,
      6.522055638510e-01,
      3.551695533238e-02,
    ]],
    [backward(settings(2, 4, ["FCF"], 4, "zero")), [
      1.385604952183,
      5.289941669831e-01,
      1.977113667380e-02,
      6.268978668203e-04,
    ]],
    [backward(settings(3, 2, ["FCF"], 3, "zero")), [
      1.347540974154,
      4.662212346771e-01,
      1.647695285837e-02,
    ]],
  ];
  for (const [actual, expected] of table) {
    // Thirteen digits are given.
    assertNear(actual as number[], expected, 1e-12, 1e-15);
  }
});

Deno.test("a neural ODE's inexact gradients", () => {
  const solve = (
    forwardIterations: number,
    backwardIterations: number,
    guess: Guess<never>,
  ): { end: number[]; start: number[]; gradient: number[] } => {
    const options = settings(2, 4, ["F", "FCF"], forwardIterations, guess);
    const forward = multigrid(ode, u0, options);
    const end = forward.states[nodes];
    const adjoint = multigrid(adjointOf(forward), end, {
      ...options,
      iterations: backwardIterations,
    });
    return {
      end: [...end],
      start: [...adjoint.states[nodes]],
      gradient: parameterGradient(forward, adjoint),
    };
  };
  const two = solve(2, 1, "skip");
  assertNear(
    two.end,
    [4.052254112282290e-1, -2.512345549247204e-1, 1.006554469299871],
    1e-13,
    0,
  );
  assertNear(
    two.start,
    [1.100898075421809, 4.113427040380642e-1, 6.867780317375243e-1],
    1e-13,
    0,
  );
  assertNear([Math.hypot(...two.gradient)], [1.227279493479802], 1e-13, 0);
  assertNear(
    two.gradient.slice(0, 3),
    [5.595393460559919e-2, -2.797696730279959e-2, 1.119078692111984e-1],
    1e-13,
    0,
  );
  const one = solve(1, 1, "zero");
  assertNear(
    one.start,
    [8.434139882825828e-1, 2.913691221978347e-1, 7.503310172123562e-1],
    1e-13,
    0,
  );
  assertNear([Math.hypot(...one.gradient)], [1.109416151225266], 1e-13, 0);
  const exact = solve(8, 8, "zero");
  assertNear(
    exact.start,
    [8.285856413330083e-1, 3.707500721802870e-1, 9.511982609589622e-1],
    1e-13,
    0,
  );
  assertNear([Math.hypot(...exact.gradient)], [1.244576700731483], 1e-13, 0);
});

Deno.test("a chain's linear adjoint: ⟨λ₀, δu₀⟩ = ⟨λ_N, δu_N⟩ at convergence", () => {
  const forward = multigrid(ode, u0, { ...defaultMultigrid, iterations: 8 });
  const end = forward.states[nodes];
  const { states } = multigrid(adjointOf(forward), end, {
    ...defaultMultigrid,
    iterations: 8,
  });
  const epsilon = 1e-6;
  for (let i = 0; i < width; i++) {
    const moved = [1, -1].map((sign) =>
      march(
        nodes,
        u0.map((x, k) => x + (k === i ? sign * epsilon : 0)),
        step,
      )[nodes]
    );
    const product = end.reduce(
      (sum, w, k) => sum + w * (moved[0][k] - moved[1][k]) / (2 * epsilon),
      0,
    );
    // Central differences: ε² and rounding/ε
    assertNear([states[nodes][i]], [product], 0, 1e-8);
  }
});
