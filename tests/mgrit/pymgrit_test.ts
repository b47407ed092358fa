/**
 * The residual histories of PyMGRIT's own tests. Its residual is measured after
 * an iteration, so it is the final residual of a solve with that many; its
 * iteration (CF-relaxation, coarse levels, correction, F-relaxation, with an
 * F-relaxation before the first) is FCF and a V-cycle.
 *
 * @module
 */

import {
  arrays,
  type Chain,
  forwardPropagator,
  multigrid,
  type MultigridOptions,
  numbers,
  type StateSpace,
  type Transfer,
} from "../../mgrit/mod.ts";
import { assertNear } from "./chains.ts";

const pymgrit: MultigridOptions<never> = {
  levels: 2,
  coarsening: 2,
  relaxation: "FCF",
  iterations: 1,
  guess: "nested",
  fewestCoarseSteps: 1,
};

/** Residuals after 1, 2, … iterations. */
function history<X>(
  chain: Chain<X>,
  first: X,
  options: MultigridOptions<never>,
  iterations: number,
): number[] {
  return Array.from(
    { length: iterations },
    (_, k) =>
      multigrid(chain, first, { ...options, iterations: k + 1 })
        .finalResidual as number,
  );
}

/** u' = −u by backward Euler with the given finest step size. */
function dahlquist(steps: number, h: number): Chain<number> {
  return {
    steps,
    space: numbers,
    propagator: forwardPropagator((u: number, _, stride) =>
      u / (1 + stride * h)
    ),
  };
}

Deno.test("PyMGRIT's Dahlquist residuals: two and three levels", () => {
  const chain = dahlquist(100, 0.05);
  assertNear(
    history(chain, 1, pymgrit, 5),
    [
      7.186185937025429e-05,
      1.246106707585954e-06,
      2.1015566149418615e-08,
      3.1441273895579124e-10,
      3.975216519949153e-12,
    ],
    1e-9,
    1e-15,
  );
  assertNear(
    history(chain, 1, { ...pymgrit, levels: 3 }, 6),
    [
      1.9401363972256573e-04,
      7.975571640343785e-06,
      2.99332402020636e-07,
      8.881441953215148e-09,
      1.9391939687035342e-10,
      3.0368067573802767e-12,
    ],
    1e-9,
    1e-15,
  );
});

Deno.test("PyMGRIT's Dahlquist residuals: another integrator on the coarse level", () => {
  const h = 0.05;
  const chain: Chain<number> = {
    ...dahlquist(100, h),
    propagator: ({ index }, steps) =>
      steps.map(({ from }) =>
        index === 0
          ? from * (1 - h / 2) / (1 + h / 2) // the midpoint rule
          : from / (1 + 2 * h)
      ),
  };
  assertNear(
    history(chain, 1, pymgrit, 4),
    [
      3.079175789847042e-04,
      1.1038989829978764e-05,
      3.8490474036390616e-07,
      1.1905574823105624e-08,
    ],
    1e-9,
    1e-15,
  );
});

Deno.test("PyMGRIT's Dahlquist residuals: few C-points", () => {
  const options = { ...pymgrit, levels: 5, coarsening: [16, 2] };
  assertNear(
    history(dahlquist(128, 5 / 128), 1, options, 4),
    [
      7.693147105384459e-03,
      5.069883607615411e-04,
      1.2469121704416458e-05,
      0,
    ],
    1e-9,
    1e-15,
  );
});

Deno.test("PyMGRIT's Dahlquist residuals: irregular coarsening", () => {
  const points = "0,3,10,12,14,17,23,27,33,34,55,57,59,61,63,64";
  const options: MultigridOptions<never> = {
    ...pymgrit,
    levels: 5,
    coarsening: [points.split(",").map(Number), 2],
    guess: "zero",
  };
  assertNear(
    history(dahlquist(64, 5 / 64), 1, options, 6),
    [
      3.7311841611405e-02,
      3.124171062320715e-03,
      3.129166834664884e-05,
      1.8514542798812671e-07,
      4.995916285724713e-10,
      4.82164655680165e-13,
    ],
    1e-9,
    1e-15,
  );
});

/**
 * u_t = u_xx + b(x, t) with the solution sin(πx) cos t, by backward Euler. The
 * sine is an eigenvector, so that a number y stands for y sin(πx).
 *
 * @param dx Mesh width.
 * @param squares Σ sin² over the mesh's points, to measure as PyMGRIT does.
 */
function heat(
  steps: number,
  h: number,
  dx: number,
  squares: number,
): Chain<number> {
  const eigenvalue = 4 / dx ** 2 * Math.sin(Math.PI * dx / 2) ** 2;
  const space: StateSpace<number> = {
    ...numbers,
    norm: (states) => Math.hypot(...states) * Math.sqrt(squares),
  };
  return {
    steps,
    space,
    propagator: forwardPropagator((y: number, layer, stride) => {
      const dt = stride * h;
      const t = (layer + stride) * h;
      const b = -(Math.sin(t) - Math.PI ** 2 * Math.cos(t));
      return (y + dt * b) / (1 + dt * eigenvalue);
    }),
  };
}

Deno.test("PyMGRIT's heat residuals: F-cycles, weighted relaxation", () => {
  const chain = heat(64, 2 / 64, 1e-3, 500);
  const options: MultigridOptions<never> = {
    ...pymgrit,
    levels: 5,
    guess: "zero",
    cycle: "F",
  };
  // The published numbers hold the rounding of a sparse solver.
  assertNear(
    history(chain, 1, options, 7),
    [
      1.6743745803519487,
      8.233110058226714e-02,
      4.141227358231137e-03,
      2.0796732945572877e-04,
      1.0239713477386588e-05,
      4.841251066261163e-07,
      2.1337164720045163e-08,
    ],
    1e-8,
    1e-12,
  );
  assertNear(
    history(chain, 1, { ...options, weight: 1.3 }, 7),
    [
      1.379505913515878,
      5.379386198383165e-02,
      2.1437634917656637e-03,
      8.410927592723663e-05,
      3.135559182803784e-06,
      1.0582423513330225e-07,
      2.9689185659602585e-09,
    ],
    1e-8,
    1e-12,
  );
});

Deno.test("PyMGRIT's heat residuals: nested iteration, AT-MGRIT", () => {
  const chain = heat(64, 2 / 64, 0.5, 2);
  const options: MultigridOptions<never> = {
    ...pymgrit,
    levels: 3,
    coarsening: 4,
  };
  assertNear(
    history(chain, 1, options, 2),
    [2.676924665058335e-03, 1.805273368267515e-04],
    1e-11,
    0,
  );
  assertNear(
    history(chain, 1, { ...options, guess: "zero" }, 2),
    [1.781503305771038e-01, 1.254545539834523e-02],
    1e-11,
    0,
  );
  // AT-MGRIT with k = 2
  assertNear(
    history(chain, 1, { ...options, guess: "zero", coarseSweeps: 1 }, 2),
    [1.767777991554705e-01, 1.223507476519229e-02],
    1e-11,
    0,
  );
  // What the last iteration leaves, before the final C-relaxation
  const { inputs } = multigrid(chain, 1, { ...options, iterations: 2 });
  assertNear(
    [inputs[1], inputs[32]],
    [1.0458385184125, 0.686980057456989],
    1e-12,
    0,
  );
});

// The same equation on x ∈ [0, 2], where coarser levels have coarser meshes.
const meshes = [16, 8, 4, 4];

/** Solves (I + dt L) y = x for the matrix −1, 2, −1 times 1/dx². */
function solveHeat(x: Float64Array, dt: number, dx: number): Float64Array {
  const off = -dt / dx ** 2;
  const y = x.slice();
  const pivots: number[] = [];
  for (let i = 0; i < y.length; i++) {
    const factor = i === 0 ? 0 : off / pivots[i - 1];
    pivots[i] = 1 - 2 * off - factor * off;
    if (i > 0) y[i] -= factor * y[i - 1];
  }
  for (let i = y.length - 1; i >= 0; i--) {
    y[i] = (y[i] - off * (y[i + 1] ?? 0)) / pivots[i];
  }
  return y;
}

/** sin(πx) at the mesh's interior points. */
function sine(intervals: number): Float64Array {
  return Float64Array.from(
    { length: intervals - 1 },
    (_, i) => Math.sin(Math.PI * (i + 1) * 2 / intervals),
  );
}

Deno.test("PyMGRIT's heat residuals: coarser meshes on coarser levels", () => {
  const h = 2 / 128;
  const halves = (x: Float64Array, f: (i: number) => number): Float64Array =>
    Float64Array.from({ length: (x.length - 1) / 2 }, (_, j) => f(2 * j + 1));
  const coarser: Transfer<Float64Array> = {
    // Nested iteration asks for the first state alone, which PyMGRIT samples on
    // every mesh.
    restrict: (states) =>
      states.length === 1
        ? states.map((x) => halves(x, (i) => x[i]))
        : states.map((x) =>
          halves(x, (i) => x[i - 1] / 4 + x[i] / 2 + x[i + 1] / 4)
        ),
    interpolate: (states) =>
      states.map((x) =>
        Float64Array.from(
          { length: 2 * x.length + 1 },
          (_, i) =>
            i % 2 === 1
              ? x[(i - 1) / 2]
              : ((x[i / 2 - 1] ?? 0) + (x[i / 2] ?? 0)) / 2,
        )
      ),
  };
  const chain: Chain<Float64Array> = {
    steps: 128,
    space: arrays,
    transfers: [coarser, coarser],
    propagator: ({ index, points }, steps) =>
      steps.map(({ n, from }) => {
        const dt = (points[n + 1] - points[n]) * h;
        const t = points[n + 1] * h;
        const b = -(Math.sin(t) - Math.PI ** 2 * Math.cos(t));
        const [right] = arrays.axpy(dt * b, [sine(meshes[index])], [from]);
        return solveHeat(right, dt, 2 / meshes[index]);
      }),
  };
  assertNear(
    history(chain, sine(meshes[0]), { ...pymgrit, levels: 4 }, 7),
    [
      .033795341894154736,
      .0029793978719811257,
      .00032555028064712785,
      4.042946916072736e-05,
      4.93158057838271e-06,
      6.178527940638919e-07,
      7.708784717391436e-08,
    ],
    1e-8,
    1e-12,
  );
});

/** The Brusselator's step by the classical Runge–Kutta method. */
function brusselatorStep(u: Float64Array, dt: number): Float64Array {
  const f = ([x, y]: Float64Array): Float64Array =>
    Float64Array.of(1 + x * x * y - 4 * x, 3 * x - x * x * y);
  const moved = (by: number, k: Float64Array): Float64Array =>
    arrays.axpy(by, [k], [u])[0];
  const k1 = f(u);
  const k2 = f(moved(dt / 2, k1));
  const k3 = f(moved(dt / 2, k2));
  const k4 = f(moved(dt, k3));
  return u.map((x, i) => x + dt / 6 * (k1[i] + 2 * (k2[i] + k3[i]) + k4[i]));
}

Deno.test("PyMGRIT's Brusselator residuals", () => {
  const chain: Chain<Float64Array> = {
    steps: 640,
    space: arrays,
    propagator: forwardPropagator((u, _, stride) =>
      brusselatorStep(u, stride * 12 / 640)
    ),
  };
  const first = Float64Array.of(0, 1);
  const options = { ...pymgrit, coarsening: 20 };
  assertNear(
    [...brusselatorStep(Float64Array.of(0, 0), 0.1)],
    [0.0824017310991963, 0.0131982489008037],
    1e-12,
    0,
  );
  const { states } = multigrid(chain, first, { ...options, levels: 1 });
  assertNear(
    [...states[640]],
    [0.393850334117909, 4.02334779001739],
    1e-12,
    0,
  );
  assertNear(
    history(chain, first, options, 4),
    [
      1.4222592121653527e-02,
      8.204212669361892e-05,
      1.1265397600214108e-07,
      3.357814854491385e-10,
    ],
    1e-8,
    // Rounding of states of size 4, amplified by coarse steps
    1e-12,
  );
});
