import { assert } from "@std/assert";
import {
  type BlockProblem,
  type Guess,
  type MultigridOptions,
  type Solution,
  solveAdjoint,
  solveForward,
} from "../../mgrit/mod.ts";
import * as t from "../../tensor/mod.ts";

// Encoder and decoder stacked into one chain: the first half of the layers
// changes X, the second changes Y, which sees X.
interface Stacked {
  readonly [name: string]: t.Tensor;
  readonly X: t.Tensor;
  readonly Y: t.Tensor;
}

interface Parameters {
  readonly [name: string]: t.Tensor;
  readonly A: t.Tensor;
  readonly a: t.Tensor;
  readonly B: t.Tensor;
  readonly C: t.Tensor;
  readonly b: t.Tensor;
}

const layers = 12;
const encoders = 6;

/** f(n, i, j) for all layers n; every layer has the parameters of both kinds. */
function matrices(f: (n: number, i: number, j: number) => number): t.Tensor {
  return t.tensor(
    Array.from(
      { length: layers },
      (_, n) => [0, 1].map((i) => [0, 1].map((j) => f(n, i, j))),
    ),
  );
}

function problemOf(): BlockProblem<Stacked, Parameters, unknown> {
  const { sin, cos } = Math;
  const affine = (x: t.Tensor, weight: t.Tensor): t.Tensor =>
    t.reshape(t.matmul(weight, t.reshape(x, [2, 1])), [2]);
  return {
    block: {
      layers,
      endTime: 6,
      rightHandSide: ({ X, Y }, { A, a, B, C, b }, { layers: [n] }) =>
        n < encoders
          ? { X: t.tanh(t.add(affine(X, A), a)), Y: t.zerosLike(Y) }
          : {
            X: t.zerosLike(X),
            Y: t.tanh(t.add(t.add(affine(Y, B), affine(X, C)), b)),
          },
    },
    parameters: {
      A: matrices((n, i, j) => 0.5 * sin(1 + 2 * i + 3 * j + 0.4 * n)),
      a: t.select(matrices((n, i) => 0.1 * cos(i + n)), 2, 0),
      B: matrices((n, i, j) => 0.5 * cos(1 + i + 2 * j + 0.3 * n)),
      C: matrices((n, i, j) => 0.4 * sin(2 + 3 * i + j + 0.2 * n)),
      b: t.select(matrices((n, i) => 0.1 * sin(1 + i + 0.7 * n)), 2, 0),
    },
    context: {},
  };
}

function settings(
  iterations: number,
  guess: Guess<never>,
): MultigridOptions<never> {
  return { levels: 2, coarsening: 3, relaxation: "F", iterations, guess };
}

const serial: MultigridOptions<never> = { ...settings(0, "zero"), levels: 1 };

async function read(...tensors: t.Tensor[]): Promise<number[]> {
  const values = await Promise.all(tensors.map((x) => x.data()));
  return values.flatMap((x) => [...x]);
}

function near(actual: readonly unknown[], expected: (number | null)[]): void {
  assert(actual.length === expected.length, `${actual}`);
  for (const [i, b] of expected.entries()) {
    // Twelve digits are given, or all of f64's.
    const ok = b === null
      ? actual[i] === null
      : Math.abs(actual[i] as number - b) <= 1e-11 * Math.abs(b) + 1e-14;
    assert(ok, `${i}: ${actual[i]}, not ${b}`);
  }
}

/** What an adjoint solve about `forward` gives for the loss ½‖Y_N‖². */
async function backward(
  problem: BlockProblem<Stacked, Parameters, unknown>,
  forward: Solution<Stacked>,
  options: MultigridOptions<never>,
): Promise<{
  residuals: readonly unknown[];
  start: number[];
  gradient: number[];
}> {
  const { X, Y } = forward.states[layers];
  const { residuals, states, parameters } = solveAdjoint(
    problem,
    forward,
    { X: t.zerosLike(X), Y },
    options,
  );
  const { X: x, Y: y } = states[layers];
  return {
    residuals,
    start: await read(x, y),
    gradient: await read(...t.leaves(parameters)),
  };
}

Deno.test("an encoder and a decoder in one chain, with inexact gradients", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const problem = problemOf();
  const first = { X: t.tensor([0.3, -0.6]), Y: t.tensor([0.8, 0.1]) };
  const forward = (options: MultigridOptions<never>): Solution<Stacked> =>
    solveForward(problem, first, options);
  const end = async ({ states }: Solution<Stacked>): Promise<number[]> =>
    await read(states[layers].X, states[layers].Y);

  const exact = forward(serial);
  near(await end(exact), [
    1.794486715511152,
    -2.019915120595735,
    1.208718825188250e-1,
    -1.904641889269000,
  ]);
  const { start, gradient } = await backward(problem, exact, serial);
  near(start, [
    -2.235919481223615e-1,
    -1.614042897978780,
    4.229763971925513e-1,
    -3.622528915549974,
  ]);
  near([Math.hypot(...gradient)], [5.595673503748759]);
  near(gradient.slice(0, 3), [
    -1.711651591179911e-2,
    3.423303182359822e-2,
    -2.567313658069484e-1,
  ]);

  // Four intervals: exact after as many iterations, and one more with skip.
  const zero = forward(settings(6, "zero"));
  near(zero.residuals, [
    1.560729168873,
    6.014727640812e-1,
    1.435395015028e-1,
    5.403240042585e-3,
    0,
    0,
  ]);
  const skipped = forward(settings(6, "skip"));
  near(skipped.residuals, [
    null,
    5.625750500056e-1,
    1.838362707943e-1,
    4.098875178583e-2,
    1.519463560652e-3,
    0,
  ]);
  const adjoint = await backward(problem, zero, settings(5, "zero"));
  near(adjoint.residuals, [
    2.815520703923,
    7.182028855004e-1,
    7.121499219385e-2,
    3.299463959558e-4,
    0,
  ]);
  const skippedAdjoint = await backward(problem, skipped, settings(6, "skip"));
  near(skippedAdjoint.residuals, [
    null,
    8.043212354066e-1,
    7.168309851987e-2,
    3.212993222772e-2,
    1.473096602888e-3,
    0,
  ]);

  const two = forward(settings(2, "skip"));
  near(await end(two), [
    1.845685197839738,
    -2.025462755617210,
    2.382535860758248e-1,
    -1.754200130592482,
  ]);
  const inexact = await backward(problem, two, settings(1, "skip"));
  near(inexact.start, [
    2.837450545899073e-1,
    -1.615176192320257,
    6.183949454709792e-1,
    -2.917088502141397,
  ]);
  const errors = (g: number[]): number[] => {
    const norm = Math.hypot(...gradient);
    const dot = g.reduce((sum, x, i) => sum + x * gradient[i], 0);
    const off = Math.hypot(...g.map((x, i) => x - gradient[i]));
    return [off / norm, dot / norm / Math.hypot(...g)];
  };
  near([Math.hypot(...inexact.gradient)], [5.172088432187612]);
  near(errors(inexact.gradient), [0.1664939315018, 0.988104561143]);
  const three = forward(settings(3, "skip"));
  const better = await backward(problem, three, settings(1, "skip"));
  near(errors(better.gradient), [0.1290974211752, 0.992058079526]);
  const best = await backward(problem, two, settings(2, "skip"));
  near(errors(best.gradient), [0.0801077101649, 0.997371139204]);
  cpu.close();
});

Deno.test("coarse steps over encoder and decoder layers, aligned and not", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const table: [number, number[]][] = [
    [3, [
      1.557672831134233,
      -1.187921389713042,
      4.323684539158457e-2,
      -1.452356280122622,
    ]],
    // The step from layer 4 is the encoder's, beyond the switch at layer 6.
    [4, [
      1.769363716158496,
      -1.468068276054385,
      6.931022736251113e-1,
      -5.269217563990829e-1,
    ]],
  ];
  for (const [coarsening, expected] of table) {
    const { block, parameters, context } = problemOf();
    const coarse = solveForward(
      {
        block: {
          ...block,
          layers: layers / coarsening,
          rightHandSide: (x, p, { layers: [n] }) =>
            block.rightHandSide(x, p, { layers: [n * coarsening] }),
        },
        parameters: t.mapTree(
          (leaf) => t.slice(leaf, [[0, layers, coarsening]]),
          parameters,
        ),
        context,
      },
      { X: t.tensor([0.3, -0.6]), Y: t.tensor([0.8, 0.1]) },
      serial,
    );
    const { X, Y } = coarse.states[layers / coarsening];
    near(await read(X, Y), expected);
  }
  cpu.close();
});

Deno.test("what a layer leaves alone stays equal at all C-points", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const problem = problemOf();
  const first = { X: t.tensor([0.3, -0.6]), Y: t.tensor([0.8, 0.1]) };
  for (const guess of ["zero", "skip"] as const) {
    for (let iterations = 1; iterations <= 4; iterations++) {
      // The inputs at C-points are what the iterations left there.
      const { inputs } = solveForward(
        problem,
        first,
        settings(iterations, guess),
      );
      near(await read(inputs[9].X), await read(inputs[6].X));
      for (const n of [3, 6]) {
        near(await read(inputs[n].Y), await read(first.Y));
      }
    }
  }
  cpu.close();
});
