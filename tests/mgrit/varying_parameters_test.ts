/** Blocks of whose parameters a tape follows some only, or none. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import {
  type MultigridOptions,
  type OdeBlock,
  residualBlock,
  sectionedBlock,
  solve,
  type SolveOptions,
} from "../../mgrit/mod.ts";
import {
  add,
  device,
  leaves,
  matmul,
  mul,
  namedLeaves,
  normal,
  randomKey,
  replaceLeaves,
  sum,
  tanh,
  type Tensor,
  type Tree,
} from "../../tensor/mod.ts";

const reference = await device("reference", { dtype: "f64" });

interface Layer {
  readonly [name: string]: Tensor;
  readonly weight: Tensor;
  readonly scale: Tensor;
}

interface Sections {
  readonly [name: string]: Layer;
  readonly first: Layer;
  readonly second: Layer;
}

function layerStack(count: number, seed: number): Layer {
  return {
    weight: normal([count, 3, 3], randomKey(seed, 0), 0, 0.3),
    scale: normal([count, 1, 1], randomKey(seed, 1), 1, 0.1),
  };
}

const branch = (
  x: Tensor,
  { weight, scale }: Layer,
  _: unknown,
  residual: Tensor,
  factor: number,
): Tensor => add(residual, mul(factor, mul(scale, tanh(matmul(x, weight)))));

const plain = {
  block: residualBlock({
    layers: 8,
    endTime: 2,
    branches: [branch],
    discretization: "outer",
  }) as OdeBlock<Tensor, Tree, unknown>,
  parameters: layerStack(8, 1) as Tree,
};

const step = (x: Tensor, layer: Layer, h: number): Tensor =>
  branch(x, layer, {}, x, h);
const rightHandSide = (x: Tensor, layer: Layer): Tensor =>
  mul(layer.scale, tanh(matmul(x, layer.weight)));

const sections = {
  block: sectionedBlock<Tensor, Sections, unknown>({
    endTime: 2,
    sections: {
      first: { layers: 4, step, rightHandSide },
      second: { layers: 4, rightHandSide },
    },
  }) as unknown as OdeBlock<Tensor, Tree, unknown>,
  parameters: { first: layerStack(4, 2), second: layerStack(4, 3) } as Tree,
};

const x = normal([2, 3], randomKey(4));

const multigrid: MultigridOptions<never> = {
  levels: 2,
  coarsening: 2,
  relaxation: "F",
  iterations: 1,
  guess: "input",
};

const ways: Readonly<Record<string, SolveOptions<never>>> = {
  serial: {},
  rematerialized: { remat: true },
  multigrid: { forward: multigrid, backward: multigrid },
  stacked: { forward: multigrid, backward: multigrid, execution: "stacked" },
  "multigrid backward": { backward: multigrid },
};

/** The gradient of a problem by the inputs that are chosen, by their names. */
async function gradientOf(
  { block, parameters }: typeof plain,
  options: SolveOptions<never>,
  chosen: (name: string) => boolean,
): Promise<{ gradient: Record<string, readonly number[]>; launches: number }> {
  const inputs = { x, parameters };
  const own = Object.fromEntries(
    namedLeaves(inputs).filter(([name]) => chosen(name)),
  );
  const before = reference.launches;
  const { value, gradient } = valueAndGrad((given: Record<string, Tensor>) => {
    const all = namedLeaves(inputs).map(([name, leaf]) => given[name] ?? leaf);
    const { x, parameters } = replaceLeaves(inputs, all);
    return sum(solve(block, x, parameters, {}, options));
  })(own);
  const launches = reference.launches - before;
  const values = await Promise.all(
    Object.entries(gradient).map(async ([name, leaf]) =>
      [name, [...await leaf.data()]] as const
    ),
  );
  value.dispose();
  leaves(gradient).forEach((leaf) => leaf.dispose());
  return { gradient: Object.fromEntries(values), launches };
}

const choices: Readonly<Record<string, (name: string) => boolean>> = {
  "the weights": (name) => name.endsWith("weight"),
  "the state": (name) => name === "x",
  "the state and half of the parameters": (name) =>
    name === "x" || name.endsWith("scale"),
  "one section": (name) => name.startsWith("parameters.second"),
};

for (const [what, problem] of Object.entries({ plain, sections })) {
  for (const [way, options] of Object.entries(ways)) {
    Deno.test(`constant parameters of a block, ${what}, ${way}`, async () => {
      const live = reference.stats().liveBuffers;
      const all = await gradientOf(problem, options, () => true);
      for (const [name, chosen] of Object.entries(choices)) {
        if (!Object.keys(all.gradient).some(chosen)) continue;
        const some = await gradientOf(problem, options, chosen);
        // The same operations in the same order, but for those left out.
        assertEquals(
          some.gradient,
          Object.fromEntries(
            Object.entries(all.gradient).filter(([name]) => chosen(name)),
          ),
          name,
        );
        assert(some.launches < all.launches, `${name}: ${some.launches}`);
      }
      assertEquals(reference.stats().liveBuffers, live);
    });
  }
}

Deno.test("constant parameters outlive the function that made them", async () => {
  const { block, parameters } = plain;
  const { gradient } = valueAndGrad((state: Tensor) => {
    // Freed when the function has returned, before the way back.
    const doubled = replaceLeaves(
      parameters,
      leaves(parameters).map((leaf) => mul(2, leaf)),
    );
    return sum(solve(block, state, doubled, {}));
  })(x);
  assertEquals((await gradient.data()).length, 6);
});

Deno.test("constant parameters are let go of where a layer throws", () => {
  const live = reference.stats().liveBuffers;
  const block = {
    ...plain.block,
    step: () => {
      throw new TypeError("no such layer");
    },
  };
  assertThrows(
    () =>
      valueAndGrad((x: Tensor) => sum(solve(block, x, plain.parameters, {})))(
        x,
      ),
    TypeError,
    "no such layer",
  );
  assertEquals(reference.stats().liveBuffers, live);
});
