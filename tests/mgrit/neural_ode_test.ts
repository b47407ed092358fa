import {
  adjointPropagator,
  arrays,
  type Chain,
  defaultMultigrid,
  forwardPropagator,
  type Guess,
  multigrid,
  type MultigridOptions,
  type Solution,
} from "../../mgrit/mod.ts";
import { assertNear, march, settings } from "./chains.ts";

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
