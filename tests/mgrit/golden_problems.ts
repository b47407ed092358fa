/**
 * The problems of the golden MGRIT data as ODE blocks.
 *
 * @module
 */

import {
  type BlockProblem,
  type Execution,
  type MultigridOptions,
  type OdeBlock,
  type Relaxation,
  residualBlock,
} from "../../mgrit/mod.ts";
import {
  attentionBranch,
  type HostArray,
  type LayerParameters,
  mlpBranch,
  type TransformerContext,
} from "../../models/mod.ts";
import * as t from "../../tensor/mod.ts";
import type { Arrays } from "../golden_case.ts";

// The layout of the JSON files: see the folder's README, section mgrit.
/** A setting of the solver and what it gives. */
export interface Configuration {
  id: string;
  levelsUsed: number;
  cf: number;
  nrelax: number[];
  init: "zero" | "x0";
  skip: boolean;
  full: boolean;
  fwd: {
    rnorm: number | null;
    loss: number;
    outRelErr: number;
    xRelErr: number;
    uNorm: number;
    outNorm: number;
  }[];
  bwd: Record<string, Backward>;
  variants?: Record<string, Backward & { rnorm: number }>;
}

/** What an adjoint solve gives. */
export interface Backward {
  rnorms: (number | null)[];
  gradNorm: number;
  gradRelErr: number;
  gradCos: number;
  x0GradNorm: number;
  layerGradNorm: number[];
}

/** A problem: its serial solution and its configurations. */
export interface Golden extends Backward {
  name: string;
  N: number;
  Tf: number;
  h: number;
  state: number[];
  params: Record<string, number[]>;
  loss: number;
  heads: number;
  causal: boolean;
  configs: Configuration[];
  warm?: { config: string; firstIters: number; rnorm: number[] };
}

/** A configuration as options of the solver. */
export function optionsOf(
  { levelsUsed, cf, nrelax, init, skip }: Configuration,
  iterations: number,
): MultigridOptions<never> {
  const relaxations: Relaxation[] = ["F", "FCF", "FCFCF"];
  return {
    levels: levelsUsed,
    coarsening: cf,
    relaxation: nrelax.map((sweeps) => relaxations[sweeps]),
    iterations,
    guess: skip ? "skip" : init === "x0" ? "input" : "zero",
  };
}

/** Numbers on the host. */
export type Values = Float64Array;

/** A problem's block on the current device, and where parameters lie in it. */
export interface Prepared {
  problem: BlockProblem<t.Tensor, t.Tree, unknown>;
  x0: t.Tensor;
  target: t.Tensor;
  /** From gradients by the block's parameters to those by the golden ones. */
  unpack: (gradient: t.Tree) => Promise<Record<string, Values>>;
}

/** A tensor of the device. */
export function tensorOf({ values, shape }: HostArray): t.Tensor {
  return t.reshape(t.tensor(values), shape);
}

/** The elements of a tensor, in f64. */
export async function host(x: t.Tensor): Promise<Values> {
  return Float64Array.from(await t.contiguous(x).data());
}

/** The problem by its name. */
export function prepare(
  golden: Golden,
  arrays: Arrays,
  execution: Execution,
): Prepared {
  const at = (name: string): HostArray => arrays[`${golden.name}/${name}`];
  const blockOf = golden.name.startsWith("dahlquist")
    ? dahlquist
    : golden.name.startsWith("odenet")
    ? neuralOde
    : transformer;
  const { problem, unpack } = blockOf(
    golden,
    (name) => tensorOf(at(`theta.${name}`)),
  );
  return {
    problem: { ...problem, execution },
    unpack,
    x0: tensorOf(at("x0")),
    target: tensorOf(at("target")),
  };
}

type BlockOf = (
  golden: Golden,
  parameter: (name: string) => t.Tensor,
) => Pick<Prepared, "problem" | "unpack">;

async function readAll(
  gradient: Record<string, t.Tensor>,
): Promise<Record<string, Values>> {
  const leaves = Object.entries(gradient).map(async ([name, leaf]) =>
    [name, await host(leaf)] as const
  );
  return Object.fromEntries(await Promise.all(leaves));
}

function problemOf<X extends t.Tree, P extends t.Tree, C>(
  block: OdeBlock<X, P, C>,
  parameters: P,
  context: C,
): Prepared["problem"] {
  return { block, parameters, context } as unknown as Prepared["problem"];
}

const dahlquist: BlockOf = ({ name, N, Tf }, parameter) => ({
  problem: problemOf(
    {
      layers: N,
      endTime: Tf,
      rightHandSide: (u: t.Tensor, { lam }: { lam: t.Tensor }) => t.mul(lam, u),
      ...(name.endsWith("be")
        ? {
          step: (u: t.Tensor, { lam }: { lam: t.Tensor }, h: number) =>
            t.div(u, t.sub(1, t.mul(h, lam))),
        }
        : {}),
    },
    { lam: t.reshape(parameter("lam"), [N, 1]) },
    {},
  ),
  unpack: (gradient) => readAll(gradient as Record<string, t.Tensor>),
});

const neuralOde: BlockOf = ({ N, Tf, state }, parameter) => ({
  problem: problemOf(
    {
      layers: N,
      endTime: Tf,
      rightHandSide: (u: t.Tensor, { W, b }: Record<string, t.Tensor>) =>
        t.tanh(t.add(t.matmul(u, W, { transposeB: true }), b)),
    },
    { W: parameter("W"), b: t.reshape(parameter("b"), [N, 1, state[1]]) },
    {},
  ),
  unpack: (gradient) => readAll(gradient as Record<string, t.Tensor>),
});

const transformer: BlockOf = (golden, parameter) => {
  const swap = (x: t.Tensor): t.Tensor => t.transpose(x, [0, 2, 1]);
  const affine = (name: string): { weight: t.Tensor; bias: t.Tensor } => ({
    weight: swap(parameter(`${name}.weight`)),
    bias: parameter(`${name}.bias`),
  });
  const norm = (name: string): { weight: t.Tensor; bias: t.Tensor } => ({
    weight: parameter(`${name}.weight`),
    bias: parameter(`${name}.bias`),
  });
  const [q, k, v] = ["q", "k", "v"].map(affine);
  const parameters: LayerParameters = t.mapTree(t.contiguous, {
    attentionNorm: norm("ln1"),
    attentionInput: {
      weight: t.concat([q.weight, k.weight, v.weight], 2),
      bias: t.concat([q.bias, k.bias, v.bias], 1),
    },
    attentionOutput: affine("o"),
    mlpNorm: norm("ln2"),
    mlpInput: affine("fc1"),
    mlpOutput: affine("fc2"),
  });
  const context: TransformerContext = {
    heads: golden.heads,
    causal: golden.causal,
    epsilon: 1e-5,
    activation: "gelu",
    firstLayer: 0,
  };
  const width = golden.state[2];
  return {
    problem: problemOf(
      residualBlock({
        layers: golden.N,
        endTime: golden.Tf,
        branches: [attentionBranch, mlpBranch],
        discretization: "outer",
      }),
      parameters,
      context,
    ),
    unpack: (gradient) => {
      const g = gradient as LayerParameters;
      const parts = [width, width, width];
      const weights = t.split(g.attentionInput.weight, parts, 2);
      const biases = t.split(g.attentionInput.bias, parts, 1);
      const result: Record<string, t.Tensor> = {
        "ln1.weight": g.attentionNorm.weight,
        "ln1.bias": g.attentionNorm.bias,
        "ln2.weight": g.mlpNorm.weight,
        "ln2.bias": g.mlpNorm.bias,
        "o.weight": swap(g.attentionOutput.weight),
        "o.bias": g.attentionOutput.bias,
        "fc1.weight": swap(g.mlpInput.weight),
        "fc1.bias": g.mlpInput.bias,
        "fc2.weight": swap(g.mlpOutput.weight),
        "fc2.bias": g.mlpOutput.bias,
      };
      ["q", "k", "v"].forEach((name, i) => {
        result[`${name}.weight`] = swap(weights[i]);
        result[`${name}.bias`] = biases[i];
      });
      return readAll(result);
    },
  };
};
