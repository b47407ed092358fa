/**
 * What a run begins with in place of a fresh model: parameters that were
 * trained before, and what the optimizer remembers of them.
 *
 * @example Nested iteration: four layers, then eight
 * ```ts
 * import { tokensInMemory } from "@layerbraid/layerbraid/data";
 * import { gptConfiguration } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 * import {
 *   adamW,
 *   gptTask,
 *   loadCheckpoint,
 *   refinedBeginning,
 *   train,
 * } from "@layerbraid/layerbraid/train";
 *
 * await device("wasm", { threads: 1 });
 * const tokens = tokensInMemory(new TextEncoder().encode("to be. ".repeat(40)));
 * const taskOf = (layers: number) => gptTask({
 *   configuration: gptConfiguration({
 *     vocabulary: 256, context: 8, width: 8, heads: 2, layers, endTime: 4,
 *   }),
 *   tokens,
 *   batch: 2,
 * });
 * const folder = await Deno.makeTempDir();
 * const options = { optimizer: adamW({ learningRate: 1e-2 }), steps: 5 };
 * await Array.fromAsync(train(taskOf(4), { ...options, folder }));
 * const begin = await refinedBeginning(await loadCheckpoint(folder), {
 *   factor: 2,
 *   interpolation: "linear",
 * });
 * for await (const event of train(taskOf(8), { ...options, begin })) {
 *   if (event.type === "step") console.log(event.loss); // goes on from there
 * }
 * ```
 *
 * @module
 */

import { type LayerInterpolation, refineLayers } from "../models/mod.ts";
import { dispose, scope, tensor } from "../tensor/internal.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type HostArrays, hostArrays } from "./host_tensors.ts";

/** What a run begins with. */
export interface Beginning {
  /** All parameters of the model by their paths. */
  readonly parameters: HostArrays;
  /** What the optimizer remembers of them; default: nothing. */
  readonly state?: {
    /** Updates done. */
    readonly step: number;
    /** Its slots by their paths, such as `first.block.mlpInput.weight`. */
    readonly slots: HostArrays;
  };
}

/** How a network is made deeper. */
export interface Refinement {
  /** How many layers each layer of the block becomes, an integer ≥ 1. */
  readonly factor: number;
  /** What lies between two layers. */
  readonly interpolation: LayerInterpolation;
}

/**
 * The beginning of a deeper network, of a shallower one's checkpoint: layers of
 * the block and what the optimizer remembers of them are interpolated, all else
 * is copied. The end time of the block must be the same.
 *
 * @throws {RangeError} If the factor or the interpolation is none.
 */
export async function refinedBeginning(
  { parameters, optimizer, manifest }: Checkpoint,
  refinement: Refinement,
): Promise<Beginning> {
  const depths = new Map(
    Object.entries(parameters)
      .filter(([name]) => name.startsWith("block."))
      .map(([name, { shape }]) => [name, shape[0]]),
  );
  return {
    parameters: await refineArrays(
      parameters,
      (name) => depths.has(name),
      refinement,
    ),
    state: {
      step: manifest.optimizer.step,
      slots: await refineArrays(optimizer, (name) => {
        // What lies behind the name of the slot is the parameter's. A mean over
        // the layers is nothing of a single one.
        const depth = depths.get(name.slice(name.indexOf(".") + 1));
        return depth !== undefined && optimizer[name].shape[0] === depth;
      }, refinement),
    },
  };
}

async function refineArrays(
  arrays: HostArrays,
  isStacked: (name: string) => boolean,
  { factor, interpolation }: Refinement,
): Promise<HostArrays> {
  const stacked = Object.entries(arrays).filter(([name]) => isStacked(name));
  const refined = scope(() =>
    refineLayers(
      Object.fromEntries(
        stacked.map(([name, { values, shape }]) =>
          [name, tensor(values, { shape })] as const
        ),
      ),
      factor,
      interpolation,
    )
  );
  const read = await hostArrays(refined);
  dispose(refined);
  return { ...arrays, ...read };
}
