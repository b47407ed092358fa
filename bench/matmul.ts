/**
 * `deno task bench matmul`: matrix products, one line a shape.
 *
 * @module
 */

import {
  type Device,
  matmul,
  normal,
  randomKey,
  scope,
} from "../tensor/mod.ts";
import { counts, FlagError, type Flags, list, toCount } from "./arguments.ts";
import { openDevice, timeInBackground } from "./background.ts";
import { pendingEvents, time } from "./timing.ts";

/** Flags and their defaults. */
export const matmulDefaults: Readonly<Record<string, string>> = {
  sizes: "64,128,256,384,512,1024",
  shapes: "1024x512x128,1024x128x512,1024x128x128,1024x1536x384",
  transpose: "NN,NT,TN",
  device: "wasm",
  threads: "1",
};

/** Rows, columns and inner dimension of a product. */
interface Shape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** The shapes that were asked for; all defaults where none were. */
function shapes(flags: Flags): Shape[] {
  const isAnyGiven = flags.given.has("sizes") || flags.given.has("shapes");
  const isWanted = (name: string): boolean =>
    !isAnyGiven || flags.given.has(name);
  const cubes = counts(flags, "sizes").map((n) => ({ m: n, n, k: n }));
  const others = list(flags, "shapes").map((text) => {
    const parts = text.split("x");
    if (parts.length !== 3) {
      throw new FlagError(`bench: --shapes ${text} must be MxNxK`);
    }
    const [m, n, k] = parts.map((part) => toCount(part, "--shapes"));
    return { m, n, k };
  });
  return [
    ...(isWanted("sizes") ? cubes : []),
    ...(isWanted("shapes") ? others : []),
  ];
}

async function measure(
  device: Device,
  { m, n, k }: Shape,
  transpose: string,
): Promise<{ best: number; median: number }> {
  using _ = device.scope();
  const [ta, tb] = [transpose[0] === "T", transpose[1] === "T"];
  const a = normal(ta ? [k, m] : [m, k], randomKey(1));
  const b = normal(tb ? [n, k] : [k, n], randomKey(2));
  const run = (): void =>
    scope(() => {
      matmul(a, b, { transposeA: ta, transposeB: tb });
    });
  const { best, median } = device.backend.synchronous
    ? time(run)
    : await timeInBackground(run, device);
  const flops = 2 * m * n * k;
  return { best: flops / best / 1e6, median: flops / median / 1e6 };
}

/** Runs the benchmark. */
export async function benchMatmul(flags: Flags): Promise<void> {
  const wanted = shapes(flags);
  const layouts = list(flags, "transpose");
  for (const layout of layouts) {
    if (!/^[NT][NT]$/.test(layout)) {
      throw new FlagError(
        `bench: --transpose ${layout} must be NN, NT, TN or TT`,
      );
    }
  }
  const device = await openDevice(flags);
  for (const shape of wanted) {
    for (const layout of layouts) {
      const { best, median } = await measure(device, shape, layout);
      await pendingEvents();
      const name = `${shape.m}x${shape.n}x${shape.k}`;
      console.log(
        flags.json
          ? JSON.stringify({
            shape: name,
            transpose: layout,
            device: device.name,
            gflopsBest: best,
            gflopsMedian: median,
            mode: device.mode,
            threads: device.threads,
          })
          : `${name.padEnd(16)} ${layout}  ${
            best.toFixed(1).padStart(6)
          } best ` +
            `${median.toFixed(1).padStart(6)} median GFLOP/s  ${device.mode}`,
      );
    }
  }
  device.close();
}
