import { assert } from "@std/assert";
import {
  defaultMultigrid,
  type Guess,
  multigrid,
  type MultigridOptions,
  type Relaxation,
} from "../../mgrit/mod.ts";
import { assertNear, march, settings } from "./chains.ts";
import {
  adjointOf,
  nodes,
  ode,
  parameterGradient,
  step,
  u0,
  width,
} from "./neural_ode.ts";

Deno.test("a neural ODE, solved serially", () => {
  const serial = multigrid(ode, u0, { ...defaultMultigrid, levels: 1 });
  const adjoint = multigrid(adjointOf(serial), serial.states[nodes], {
    ...defaultMultigrid,
    levels: 1,
  });
  const gradient = parameterGradient(serial, adjoint);
  const table: [ArrayLike<number>, number[]][] = [
    [serial.states[nodes], [
      4.110050892679919e-01,
      -2.530991300825367e-01,
      1.014853956797253,
    ]],
    [serial.states[16], [
      5.566133926383598e-01,
      -4.124930738660232e-01,
      1.075819722637987,
    ]],
    [adjoint.states[nodes], [
      8.285856413330083e-01,
      3.707500721802870e-01,
      9.511982609589622e-01,
    ]],
    [[Math.hypot(...serial.states[nodes]) ** 2 / 2], [6.314564533398840e-01]],
    [[Math.hypot(...gradient)], [1.244576700731483]],
    [gradient.slice(0, 3), [
      4.136660607781011e-02,
      -2.068330303890506e-02,
      8.273321215562023e-02,
    ]],
    [gradient.slice(-3), [
      4.423654229876214e-02,
      -3.095310799886123e-02,
      1.018867940635230e-01,
    ]],
    [[gradient[12 * 5 + 5]], [2.243605586048405e-02]],
  ];
  for (const [actual, expected] of table) {
    assertNear([...Array.from(actual)], expected, 1e-13, 0);
  }
});

Deno.test("a neural ODE's residuals, forward and backward", () => {
  const serial = multigrid(ode, u0, { ...defaultMultigrid, levels: 1 });
  const end = serial.states[nodes];
  const solved = { forward: ode, backward: adjointOf(serial) };
  const first = { forward: u0, backward: end };
  const table: [
    "forward" | "backward",
    coarsening: number,
    levels: number,
    Relaxation,
    Guess<never>,
    (number | null)[],
  ][] = [
    ["forward", 4, 2, "F", "zero", [
      9.740204533031e-01,
      2.332325006835e-01,
      9.772076573353e-03,
      8.463355614056e-04,
      5.053326812872e-05,
      2.082214228318e-06,
      7.372817760099e-08,
      1.114668969232e-09,
      0,
    ]],
    ["forward", 4, 2, "F", "skip", [
      null,
      3.192961304420e-01,
      3.584031546981e-02,
      9.143468367861e-04,
      1.183177150377e-04,
      4.829152140599e-06,
      3.039740161069e-07,
      9.083106937111e-09,
      1.627514740706e-10,
      0,
    ]],
    ["forward", 4, 2, "FCF", "zero", [
      9.564181032852e-01,
      1.849776825518e-01,
      8.596172826329e-03,
      2.010659933480e-04,
      0,
    ]],
    ["forward", 4, 2, "FCF", "skip", [
      null,
      2.953015806601e-01,
      2.317639980441e-02,
      1.012761900785e-03,
      2.247175029857e-05,
      0,
    ]],
    ["forward", 2, 3, "F", "zero", [
      1.042823447922,
      1.721595529022e-01,
      6.884078186014e-03,
      2.046078474999e-04,
      3.413868123188e-06,
      2.823988261875e-08,
      3.184585824070e-10,
      1.505787102628e-12,
    ]],
    ["forward", 2, 3, "FCF", "zero", [
      9.553891998154e-01,
      1.564716723038e-01,
      5.579133713835e-03,
      5.090497813579e-05,
      4.116757782764e-07,
      2.087778964074e-09,
      5.445667285998e-12,
    ]],
    ["forward", 2, 3, "FCF", "skip", [
      null,
      2.533067984113e-01,
      1.249111108949e-02,
      3.550334002061e-04,
      5.048915832151e-06,
      2.554347306672e-08,
      1.208632212768e-10,
    ]],
    ["backward", 4, 2, "F", "zero", [
      1.347540974154,
      6.237100124454e-01,
      3.893032715595e-02,
      2.193484972838e-03,
      1.018047984309e-04,
      6.291268355319e-06,
      3.045436765354e-07,
      2.064102579083e-09,
    ]],
    ["backward", 4, 2, "F", "skip", [
      null,
      6.522055638510e-01,
      3.551695533238e-02,
      1.840068663652e-03,
      1.265414992401e-04,
      7.542165656755e-06,
      3.631151109042e-07,
      1.208298395297e-08,
    ]],
    ["backward", 4, 2, "FCF", "zero", [
      1.385604952183,
      5.289941669831e-01,
      1.977113667380e-02,
      6.268978668203e-04,
      0,
    ]],
    ["backward", 2, 3, "FCF", "zero", [
      1.347540974154,
      4.662212346771e-01,
      1.647695285837e-02,
      2.584444979250e-04,
      1.261739856174e-06,
      3.946562605512e-09,
    ]],
  ];
  for (const [direction, coarsening, levels, fine, guess, expected] of table) {
    const relaxation: Relaxation[] = [fine, "FCF"];
    const count = expected.length;
    const { residuals } = multigrid(
      solved[direction],
      first[direction],
      settings(levels, coarsening, relaxation, count, guess),
    );
    // Thirteen digits are given; rounding of states of size 1.
    assertNear(residuals, expected, 1e-12, 2e-15);
  }
});

/** A forward solve and a backward one about it; 0 iterations mean serial. */
function solveBoth(
  forwardIterations: number,
  backwardIterations: number,
  relaxation: readonly Relaxation[],
  guess: Guess<never>,
): { end: number[]; start: number[]; gradient: number[] } {
  const options = (iterations: number): MultigridOptions<never> => {
    const levels = iterations === 0 ? 1 : 2;
    return settings(levels, 4, relaxation, Math.max(iterations, 1), guess);
  };
  const forward = multigrid(ode, u0, options(forwardIterations));
  const end = forward.states[nodes];
  const adjoint = multigrid(
    adjointOf(forward),
    end,
    options(backwardIterations),
  );
  return {
    end: [...end],
    start: [...adjoint.states[nodes]],
    gradient: parameterGradient(forward, adjoint),
  };
}

Deno.test("a neural ODE's inexact gradients", () => {
  const two = solveBoth(2, 1, ["F"], "skip");
  const one = solveBoth(1, 1, ["F"], "zero");
  const table: [number[], number[]][] = [
    [two.end, [4.052254112282290e-1, -2.512345549247204e-1, 1.006554469299871]],
    [
      two.start,
      [1.100898075421809, 4.113427040380642e-1, 6.867780317375243e-1],
    ],
    [[Math.hypot(...two.gradient)], [1.227279493479802]],
    [
      two.gradient.slice(0, 3),
      [5.595393460559919e-2, -2.797696730279959e-2, 1.119078692111984e-1],
    ],
    [
      one.end,
      [3.529957198066346e-01, -2.038730759661534e-01, 9.597863171586877e-01],
    ],
    [
      one.start,
      [8.434139882825828e-1, 2.913691221978347e-1, 7.503310172123562e-1],
    ],
    [[Math.hypot(...one.gradient)], [1.109416151225266]],
    [
      one.gradient.slice(0, 3),
      [4.231936296480146e-02, -2.115968148240073e-02, 8.463872592960292e-02],
    ],
  ];
  for (const [actual, expected] of table) {
    assertNear(actual, expected, 1e-13, 0);
  }
});

/** Rounded as a table gives it: within half a unit of its last digit. */
function assertRounds(what: string, actual: number, printed: string): void {
  const [digits, exponent = "0"] = printed.split("e");
  const decimals = digits.split(".")[1]?.length ?? 0;
  const half = 0.5 * 10 ** (Number(exponent) - decimals);
  assert(
    Math.abs(actual - Number(printed)) <= half * (1 + 1e-9),
    `${what}: ${actual}, not ${printed}`,
  );
}

Deno.test("accuracy of a neural ODE's gradients over the iterations", () => {
  // Forward and backward iterations: relative errors of the end, of the adjoint
  // at the start and of the gradient, cosine of the gradient.
  const tables: Record<string, Record<string, string>> = {
    "F skip": {
      "0,1": "0 .295 .216 .97664",
      "0,2": "0 .0190 .0108 .99995",
      "0,3": "0 1.06e-3 8.36e-4",
      "1,1": ".116 .270 .246 .97632",
      "2,1": "9.15e-3 .290 .214 .97691",
      "2,2": "9.15e-3 .0222 .0192 .99994",
      "3,1": "1.29e-3 .294 .215 .97672",
      "3,3": "1.3e-3 1.4e-3 1.8e-3",
      "9,9": "0 0 0 1",
    },
    "F zero": {
      "0,1": "0 .163 .204 .97902",
      "0,2": "0 .0160 .0168 .99986",
      "0,3": "0 4.8e-4 5.3e-4",
      "1,1": ".0836 .165 .216 .98037",
      "2,1": "7.7e-3 .161 .203 .97925",
      "2,2": "7.7e-3 .0174 .0196 .99988",
      "3,1": "1.2e-4 .163 .204 .97902",
      "3,3": "1.2e-4 5.6e-4 5.6e-4",
      "8,8": "0 0 0 1",
    },
    "FCF skip": {
      "1,1": ".1161 .2702 .2461 .976325",
      "2,1": ".0104 .2916 .2149 .976700",
      "2,2": ".0104 .01459 .01316 .999977",
      "3,1": "5.40e-4 .2945 .2157 .976688",
      "4,4": "2.0e-5 1.97e-5 2.07e-5",
      "5,5": "0 0 0 1",
    },
    "FCF zero": {
      "1,1": ".01137 .06505 .19632 .984030",
      "2,1": "4.14e-3 .06013 .18478 .984328",
      "2,2": "4.14e-3 .01153 8.47e-3 .999971",
      "3,1": "1.79e-4 .06273 .18542 .984415",
      "4,4": "0 0 0 1",
    },
  };
  const exact = solveBoth(0, 0, ["F"], "zero");
  const off = (a: number[], b: number[]): number =>
    Math.hypot(...a.map((x, i) => x - b[i])) / Math.hypot(...b);
  for (const [setting, rows] of Object.entries(tables)) {
    const [relaxation, guess] = setting.split(" ");
    for (const [iterations, row] of Object.entries(rows)) {
      const [forward, backward] = iterations.split(",").map(Number);
      const { end, start, gradient } = solveBoth(
        forward,
        backward,
        [relaxation as Relaxation],
        guess as "skip" | "zero",
      );
      const dot = gradient.reduce(
        (sum, x, i) => sum + x * exact.gradient[i],
        0,
      );
      const actual = [
        off(end, exact.end),
        off(start, exact.start),
        off(gradient, exact.gradient),
        dot / Math.hypot(...gradient) / Math.hypot(...exact.gradient),
      ];
      row.split(" ").forEach((printed, k) => {
        const what = `${setting} ${iterations}: ${k}`;
        // Exact to rounding
        if (/^[01]$/.test(printed)) {
          assertNear([actual[k]], [Number(printed)], 0, 1e-13);
        } else assertRounds(what, actual[k], printed);
      });
    }
  }
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
