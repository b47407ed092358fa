/**
 * Every network by multigrid over its layers against itself one layer at a time,
 * on any device.
 *
 * @module
 */

import { assert } from "@std/assert";
import { valueAndGrad } from "../../autograd/mod.ts";
import type {
  Execution,
  MultigridOptions,
  SolveReport,
} from "../../mgrit/mod.ts";
import type { StackCallOptions } from "../../models/mod.ts";
import { type Device, namedLeaves, type Tensor } from "../../tensor/mod.ts";
import { type Instance, networks, type Parameters } from "./networks.ts";

type Numbers = Readonly<Record<string, readonly number[]>>;

/** Loss and every gradient. */
async function numbersOf(
  { parameters, loss }: Instance<Parameters>,
  options: StackCallOptions,
): Promise<Numbers> {
  const dropout = { probability: 0.1, seed: 4, batch: 7 };
  const { value, gradient } = valueAndGrad((p: Parameters) =>
    loss(p, { ...options, dropout })
  )(parameters);
  const numbers: Record<string, readonly number[]> = {
    loss: [await value.item()],
  };
  for (const [name, x] of namedLeaves(gradient)) {
    numbers[name] = [...await x.data()];
  }
  return numbers;
}

/** ‖a − b‖ / ‖b‖. */
function distance(a: readonly number[], b: readonly number[]): number {
  return Math.hypot(...a.map((x, i) => x - b[i])) / Math.hypot(...b);
}

/** Exact after ⌈(8 / 2) / 2⌉ = 2 iterations on any number of levels. */
function multigrid(levels: number): MultigridOptions<Tensor> {
  return {
    levels,
    coarsening: 2,
    relaxation: "FCF",
    iterations: 3,
    guess: "input",
  };
}

/** How the block is solved. */
export type Way = readonly [execution: Execution, levels: number];

/** All of them. */
export const allWays: readonly Way[] = [
  ["sequential", 2],
  ["sequential", 3],
  ["stacked", 2],
  ["stacked", 3],
];

async function checkNetwork(
  make: () => Instance<Parameters>,
  ways: readonly Way[],
  tolerance: number,
): Promise<void> {
  const instance = make();
  const serial = await numbersOf(instance, {});
  assert(Object.keys(serial).length > 10);
  for (const [execution, levels] of ways) {
    const passes: SolveReport[] = [];
    const parallel = await numbersOf(instance, {
      forward: multigrid(levels),
      backward: multigrid(levels),
      execution,
      onSolve: (report) => passes.push(report),
    });
    assert(passes.length === 2, "only the block is solved by multigrid");
    for (const [name, expected] of Object.entries(serial)) {
      const off = distance(parallel[name], expected);
      assert(
        off <= tolerance,
        `${levels} levels, ${execution}: ${name} is off by ${off}`,
      );
    }
  }
}

/** Where networks are compared, how, and how closely. */
export interface LayerParallelSetting {
  /** Of the device, for the names of tests. */
  readonly name: string;
  /** Whether this machine hasn't got it; by default it has. */
  readonly missing?: boolean;
  /** Makes the device. */
  readonly open: () => Promise<Device>;
  /** How the block is solved. */
  readonly ways: readonly Way[];
  /** Largest relative difference of loss and gradients. */
  readonly tolerance: number;
}

/** A test of all networks on one device. */
export function testLayerParallel(
  { name, missing = false, open, ways, tolerance }: LayerParallelSetting,
  speed: "fast" | "rare" = "fast",
): void {
  const prefix = speed === "fast" ? "" : "slow: ";
  Deno.test({
    name:
      `${prefix}multigrid gives every network's serial loss and gradient on ${name}`,
    ignore: missing || speed === "rare" && !Deno.env.has("LAYERBRAID_SLOW"),
    fn: async (t) => {
      const device = await open();
      try {
        for (const { name, make } of networks) {
          await t.step(name, async () => {
            using _ = device.scope();
            await checkNetwork(make, ways, tolerance);
          });
        }
      } finally {
        device.close();
      }
    },
  });
}
