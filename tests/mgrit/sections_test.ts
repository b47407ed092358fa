import { assert, assertEquals, assertThrows } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import {
  type BlockProblem,
  type MultigridOptions,
  sectionedBlock,
  solve,
  solveForward,
  type SolveOptions,
  type SolveReport,
} from "../../mgrit/mod.ts";
import * as t from "../../tensor/mod.ts";
import { deviation } from "../golden.ts";

// A toy translator: the encoder's layers change X, the decoder's change Y,
// which sees X.
interface State {
  readonly [name: string]: t.Tensor;
  readonly X: t.Tensor;
  readonly Y: t.Tensor;
}

interface EncoderParameters {
  readonly [name: string]: t.Tensor;
  readonly A: t.Tensor;
  readonly a: t.Tensor;
}

interface DecoderParameters {
  readonly [name: string]: t.Tensor;
  readonly B: t.Tensor;
  readonly C: t.Tensor;
  readonly b: t.Tensor;
}

interface Sections {
  readonly [name: string]: EncoderParameters | DecoderParameters;
  readonly encoder: EncoderParameters;
  readonly decoder: DecoderParameters;
}

type Problem = BlockProblem<State, Sections, unknown>;

/** f(n, i, j) for 2 × 2 matrices of the layers from `start` on. */
function matrices(
  start: number,
  layers: number,
  f: (n: number, i: number, j: number) => number,
): t.Tensor {
  return t.tensor(
    Array.from(
      { length: layers },
      (_, n) => [0, 1].map((i) => [0, 1].map((j) => f(start + n, i, j))),
    ),
  );
}

function affine(x: t.Tensor, weight: t.Tensor): t.Tensor {
  return t.reshape(t.matmul(weight, t.reshape(x, [...x.shape, 1])), x.shape);
}

function problemOf(encoders: number, decoders: number): Problem {
  const { sin, cos } = Math;
  const vectors = (x: t.Tensor): t.Tensor => t.contiguous(t.select(x, 2, 0));
  return {
    block: sectionedBlock({
      endTime: (encoders + decoders) / 2,
      sections: {
        encoder: {
          layers: encoders,
          rightHandSide: ({ X, Y }: State, { A, a }: EncoderParameters) => ({
            X: t.tanh(t.add(affine(X, A), a)),
            Y: t.zerosLike(Y),
          }),
        },
        decoder: {
          layers: decoders,
          rightHandSide: () => {
            throw new TypeError("the step is used instead");
          },
          step: (
            { X, Y }: State,
            { B, C, b }: DecoderParameters,
            h: number,
          ) => ({
            X,
            Y: t.add(
              Y,
              t.mul(
                h,
                t.tanh(t.add(t.add(affine(Y, B), affine(X, C)), b)),
              ),
            ),
          }),
        },
      },
    }),
    parameters: {
      encoder: {
        A: matrices(
          0,
          encoders,
          (n, i, j) => 0.5 * sin(1 + 2 * i + 3 * j + 0.4 * n),
        ),
        a: vectors(matrices(0, encoders, (n, i) => 0.1 * cos(i + n))),
      },
      decoder: {
        B: matrices(
          encoders,
          decoders,
          (n, i, j) => 0.5 * cos(1 + i + 2 * j + 0.3 * n),
        ),
        C: matrices(
          encoders,
          decoders,
          (n, i, j) => 0.4 * sin(2 + 3 * i + j + 0.2 * n),
        ),
        b: vectors(
          matrices(encoders, decoders, (n, i) => 0.1 * sin(1 + i + 0.7 * n)),
        ),
      },
    },
    context: {},
  };
}

function firstState(): State {
  return { X: t.tensor([0.3, -0.6]), Y: t.tensor([0.8, 0.1]) };
}

function multigrid(
  iterations: number,
  guess: "zero" | "skip",
  coarsening = 3,
): MultigridOptions<never> {
  return { levels: 2, coarsening, relaxation: "F", iterations, guess };
}

interface Solved {
  readonly end: number[];
  readonly start: number[];
  readonly gradient: number[];
  readonly names: string[];
  readonly reports: SolveReport[];
}

async function read(...tensors: t.Tensor[]): Promise<number[]> {
  const values = await Promise.all(tensors.map((x) => x.data()));
  return values.flatMap((x) => [...x]);
}

/** Solves, and differentiates ½‖Y_N‖². */
async function solved(
  { block, parameters, context }: Problem,
  options: SolveOptions<State>,
): Promise<Solved> {
  const reports: SolveReport[] = [];
  let end: State | undefined;
  const { gradient } = valueAndGrad(
    ({ x, p }: { x: State; p: Sections }) => {
      const last = solve(block, x, p, context, {
        ...options,
        onSolve: (report) => reports.push(report),
      });
      end = t.mapTree((leaf) => leaf.retain(), last);
      return t.mul(0.5, t.sum(t.square(last.Y)));
    },
  )({ x: firstState(), p: parameters });
  return {
    end: await read(end!.X, end!.Y),
    start: await read(...t.leaves(gradient.x)),
    gradient: await read(...t.leaves(gradient.p)),
    names: t.namedLeaves(gradient.p).map(([name, { shape }]) =>
      `${name} ${shape}`
    ),
    reports,
  };
}

/** To the twelve digits that are given, or to rounding. */
function near(actual: readonly unknown[], expected: (number | null)[]): void {
  assertEquals(actual.length, expected.length);
  for (const [i, b] of expected.entries()) {
    const ok = b === null
      ? actual[i] === null
      : Math.abs(actual[i] as number - b) <= 1e-11 * Math.abs(b) + 1e-14;
    assert(ok, `${i}: ${actual[i]}, not ${b}`);
  }
}

const executions = ["sequential", "stacked"] as const;

Deno.test("sections: serial solves, whatever is kept on the way", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  for (const remat of [false, true]) {
    const { end, start, gradient, names } = await solved(problemOf(6, 6), {
      remat,
    });
    near(end, [
      1.794486715511152,
      -2.019915120595735,
      1.208718825188250e-1,
      -1.904641889269000,
    ]);
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
    assertEquals(names, [
      "encoder.A 6,2,2",
      "encoder.a 6,2",
      "decoder.B 6,2,2",
      "decoder.C 6,2,2",
      "decoder.b 6,2",
    ]);
  }
  cpu.close();
});

Deno.test("sections: inexact solves by multigrid, stacked and not", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  for (const execution of executions) {
    const many = await solved(problemOf(6, 6), {
      execution,
      forward: multigrid(6, "zero"),
      backward: multigrid(5, "zero"),
    });
    near(many.reports[0].residuals, [
      1.560729168873,
      6.014727640812e-1,
      1.435395015028e-1,
      5.403240042585e-3,
      0,
      0,
    ]);
    near(many.reports[1].residuals, [
      2.815520703923,
      7.182028855004e-1,
      7.121499219385e-2,
      3.299463959558e-4,
      0,
    ]);
    const few = await solved(problemOf(6, 6), {
      execution,
      forward: multigrid(2, "skip"),
      backward: multigrid(1, "skip"),
    });
    near(few.end, [
      1.845685197839738,
      -2.025462755617210,
      2.382535860758248e-1,
      -1.754200130592482,
    ]);
    near(few.start, [
      2.837450545899073e-1,
      -1.615176192320257,
      6.183949454709792e-1,
      -2.917088502141397,
    ]);
    near([Math.hypot(...few.gradient)], [5.172088432187612]);
  }
  cpu.close();
});

Deno.test("sections: enough iterations make the serial gradient, at any lengths", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  for (const [encoders, decoders] of [[6, 6], [5, 3], [1, 7]]) {
    const problem = problemOf(encoders, decoders);
    const exact = await solved(problem, {});
    for (const execution of executions) {
      for (const [levels, coarsening] of [[2, 3], [2, 4], [3, 2]]) {
        const options: MultigridOptions<never> = {
          ...multigrid(6, "zero", coarsening),
          levels,
        };
        const { end, start, gradient } = await solved(problem, {
          execution,
          remat: levels === 3,
          forward: options,
          backward: options,
        });
        const off = deviation(
          [...end, ...start, ...gradient],
          [...exact.end, ...exact.start, ...exact.gradient],
          1e-12,
          1e-12,
        );
        assert(
          off <= 1,
          `${encoders} + ${decoders}, ${execution}, ${levels} levels, ` +
            `coarsening ${coarsening}: off by ${off} tolerances`,
        );
      }
    }
  }
  cpu.close();
});

Deno.test("sections: what a section leaves alone stays equal at all C-points", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const problem = problemOf(6, 6);
  const first = firstState();
  for (const execution of executions) {
    for (const guess of ["zero", "skip"] as const) {
      for (let iterations = 1; iterations <= 4; iterations++) {
        // The inputs at C-points are what the iterations left there.
        const { inputs } = solveForward(
          { ...problem, execution },
          first,
          multigrid(iterations, guess),
        );
        near(await read(inputs[9].X), await read(inputs[6].X));
        for (const n of [3, 6]) {
          near(await read(inputs[n].Y), await read(first.Y));
        }
      }
    }
  }
  cpu.close();
});

Deno.test("sections: parameters that don't fit are told apart", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  const { block, parameters, context } = problemOf(6, 6);
  const run = (other: Problem["block"], p: unknown): void => {
    solve(other, firstState(), p as Sections, context);
  };
  const cases: [Problem["block"], unknown, string][] = [
    [
      block,
      { ...parameters, decoder: problemOf(6, 5).parameters.decoder },
      'a parameter of shape [5, 2, 2] must have the 6 layers of section "decoder"',
    ],
    [
      block,
      { encoder: parameters.encoder },
      "parameters encoder must be those of the sections encoder, decoder",
    ],
    [
      block,
      { ...parameters, head: {} },
      "parameters encoder, decoder, head must be those of the sections",
    ],
    [
      { ...block, layers: 11 },
      parameters,
      "sections of 6 + 6 layers must have a layer each and add up to the " +
      "block's 11",
    ],
  ];
  for (const [other, given, message] of cases) {
    assertThrows(() => run(other, given), RangeError, message);
  }
  cpu.close();
});
