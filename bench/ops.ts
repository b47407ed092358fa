/**
 * `deno task bench ops`: elementwise and reduction kernels, elements a second.
 *
 * @module
 */

import { normal, randomKey, scope, type Tensor } from "../tensor/mod.ts";
import * as t from "../tensor/mod.ts";
import { valueAndGrad } from "../autograd/mod.ts";
import { adam } from "../train/mod.ts";
import { count, type Flags } from "./arguments.ts";
import { pendingEvents, time, type Timing } from "./timing.ts";

/** Flags and their defaults. */
export const opsDefaults: Readonly<Record<string, string>> = {
  elements: "65536",
  threads: "1",
};

/** Rows of this length for kernels that work by rows. */
const rowLength = 128;

function forward(f: (x: Tensor) => Tensor): (x: Tensor) => Timing {
  return (x) => time(() => scope(() => void f(x)));
}

/** What is measured, on x of `[rows, 128]`. */
const kernels: Readonly<Record<string, (x: Tensor) => Timing>> = {
  scale: forward((x) => t.mul(x, 1.5)),
  add: forward((x) => t.add(x, x)),
  exp: forward(t.exp),
  tanh: forward(t.tanh),
  "gelu (tanh)": forward((x) => t.gelu(x, "tanh")),
  "gelu (erf)": forward((x) => t.gelu(x)),
  "gelu + gradient": (x) => {
    const f = valueAndGrad((y: Tensor) => t.sum(t.gelu(y, "tanh")));
    return time(() => scope(() => void f(x)));
  },
  softmax: forward((x) => t.softmax(x)),
  layerNorm: (x) => {
    const [weight, bias] = [t.ones([rowLength]), t.zeros([rowLength])];
    return time(() => scope(() => void t.layerNorm(x, weight, bias)));
  },
  "sum of all": forward((x) => t.sum(x)),
  "sum of rows": forward((x) => t.sum(x, 1)),
  "sum of columns": forward((x) => t.sum(x, 0)),
  transpose: forward((x) => t.contiguous(t.transpose(x))),
  dropout: forward((x) => t.dropout(x, 0.1, randomKey(1))),
  adam: (x) => {
    const optimizer = adam({ learningRate: 1e-3 });
    let parameters = { x: t.copy(x) };
    let state = optimizer.init(parameters);
    // Part of a step, but not of the update: the gradient that it consumes.
    const gradient = t.copy(x);
    return time(() => {
      const handle = gradient.retain();
      ({ parameters, state } = optimizer.update(
        parameters,
        { x: handle },
        state,
      ));
    });
  },
};

/** Runs the benchmark. */
export async function benchOps(flags: Flags): Promise<void> {
  const elements = count(flags, "elements");
  const cpu = await t.device("wasm", { threads: count(flags, "threads") });
  const rows = Math.max(1, Math.round(elements / rowLength));
  const x = normal([rows, rowLength], randomKey(1));
  for (const [name, measure] of Object.entries(kernels)) {
    const { best, median } = measure(x);
    await pendingEvents();
    const rate = (milliseconds: number): number => x.size / milliseconds / 1e6;
    console.log(
      flags.json
        ? JSON.stringify({
          kernel: name,
          gigaElementsPerSecondBest: rate(best),
          gigaElementsPerSecondMedian: rate(median),
          mode: cpu.mode,
          threads: cpu.threads,
        })
        : `${name.padEnd(16)} ${rate(best).toFixed(2).padStart(6)} best ` +
          `${
            rate(median).toFixed(2).padStart(6)
          } median 10⁹ elements/s  ${cpu.mode}`,
    );
  }
  cpu.close();
}
