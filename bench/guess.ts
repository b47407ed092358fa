/**
 * `deno task bench guess`: the gradient of a random transformer block after two
 * forward iterations and one backward, by what the iterations start from.
 *
 * @module
 */

import { valueAndGrad } from "../autograd/mod.ts";
import {
  compareGradients,
  type MultigridOptions,
  type Relaxation,
  residualBlock,
  solve,
  type SolveOptions,
} from "../mgrit/mod.ts";
import {
  attentionBranch,
  type LayerParameters,
  mlpBranch,
} from "../models/mod.ts";
import {
  device,
  mul,
  normal,
  ones,
  randomKey,
  scope,
  type Shape,
  square,
  sub,
  sum,
  type Tensor,
  zeros,
} from "../tensor/mod.ts";
import { count, type Flags } from "./arguments.ts";
import { printTable } from "./table.ts";
import { median } from "./timing.ts";

/** Flags and their defaults. */
export const guessDefaults: Readonly<Record<string, string>> = {
  layers: "16",
  coarsening: "4",
  dim: "64",
  heads: "4",
  seq: "32",
  batch: "4",
  seeds: "5",
  threads: "1",
};

/** Standard deviations of weights and of the states before the block. */
const blocks = [0.02, 0.04, 0.08].flatMap((weights) =>
  [1, 0.1].map((states) => ({ weights, states }))
);

const guesses = ["skip", "zero", "input"] as const;
const relaxations = ["F", "FCF"] as const;

/** Parameters of a stack of layers, all weights of the same deviation. */
function randomLayers(
  layers: number,
  width: number,
  deviation: number,
  seed: number,
): LayerParameters {
  let stream = 0;
  const linear = (inner: number, outer: number): LayerParameters[string] => ({
    weight: normal(
      [layers, inner, outer],
      randomKey(seed, stream++),
      0,
      deviation,
    ),
    bias: zeros([layers, outer]),
  });
  const norm = { weight: ones([layers, width]), bias: zeros([layers, width]) };
  return {
    attentionNorm: norm,
    attentionInput: linear(width, 3 * width),
    attentionOutput: linear(width, width),
    mlpNorm: norm,
    mlpInput: linear(width, 4 * width),
    mlpOutput: linear(4 * width, width),
  };
}

/** How good gradients of one random block are, for each of some solves. */
async function cosinesOf(
  flags: Flags,
  { weights, states }: typeof blocks[number],
  seed: number,
  solves: readonly SolveOptions[],
): Promise<number[]> {
  const number = (name: string): number => count(flags, name);
  const layers = number("layers");
  const width = number("dim");
  const shape: Shape = [number("batch"), number("seq"), width];
  const block = residualBlock({
    layers,
    endTime: layers,
    branches: [attentionBranch, mlpBranch],
    discretization: "outer",
  });
  const context = {
    heads: number("heads"),
    causal: true,
    epsilon: 1e-5,
    activation: "gelu-tanh",
    firstLayer: 0,
  } as const;
  const parameters = randomLayers(layers, width, weights, seed);
  const first = normal(shape, randomKey(seed, 100), 0, states);
  const target = normal(shape, randomKey(seed, 101));
  const gradientOf = (options: SolveOptions): LayerParameters =>
    scope(() => {
      const loss = (theta: LayerParameters): Tensor => {
        const last = solve(block, first, theta, context, options);
        return mul(sum(square(sub(last, target))), 0.5 / shape[0]);
      };
      return valueAndGrad(loss)(parameters).gradient;
    });
  const exact = gradientOf({});
  const cosines: number[] = [];
  for (const options of solves) {
    const { cosine } = await compareGradients(gradientOf(options), exact);
    cosines.push(cosine);
  }
  return cosines;
}

/** Runs the benchmark. */
export async function benchGuess(flags: Flags): Promise<void> {
  const cpu = await device("wasm", { threads: count(flags, "threads") });
  const settings = relaxations.flatMap((relaxation: Relaxation) =>
    guesses.map((guess) => {
      const options = (iterations: number): MultigridOptions<never> => ({
        levels: 2,
        coarsening: count(flags, "coarsening"),
        relaxation,
        iterations,
        guess,
      });
      return {
        name: `${guess}, ${relaxation}`,
        solve: { forward: options(2), backward: options(1) },
      };
    })
  );
  const rows: Record<string, string | number>[] = [];
  for (const block of blocks) {
    const drawn: number[][] = [];
    for (let seed = 0; seed < count(flags, "seeds"); seed++) {
      using _ = cpu.scope();
      const solves = settings.map((setting) => setting.solve);
      drawn.push(await cosinesOf(flags, block, seed, solves));
    }
    rows.push({
      "weight std": block.weights,
      "state std": block.states,
      ...Object.fromEntries(settings.map(({ name }, i) => [
        name,
        median(drawn.map((cosines) => cosines[i])),
      ])),
    });
  }
  printTable(rows, flags.json);
  cpu.close();
}
