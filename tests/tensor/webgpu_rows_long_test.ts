import { assertThrows } from "@std/assert";
import { DeviceError } from "../../tensor/device_error.ts";
import {
  assertLikeReference,
  classify,
  normalize,
  onEveryForm,
  real,
  runSoftmax,
} from "./webgpu_rows_subject.ts";
import { adapters, webgpuBackend } from "./webgpu_subject.ts";

// Software adapters stop the loops of a thread after 65,535 turns in all. With
// so many rows none is cut into parts, or into few that are still too long.
const registers = { registers: { rows: "registers" } } as const;

onEveryForm("slow: softmax of rows too long for a thread", async (on, form) => {
  for (const [rows, n] of [[64, 33_001], [64, 100_000], [40, 75_001]]) {
    await assertLikeReference(
      on,
      (on) => runSoftmax(on, rows, n),
      [
        // Logits of size up to 60 are rounded by up to 2e-6.
        { absolute: 1.2e-38, relative: 5e-6 },
        { absolute: 3e-6, relative: 1e-6 },
      ],
      `${form}, ${rows} rows of ${n}`,
    );
  }
}, registers);

onEveryForm(
  "slow: cross entropy of rows too long for a thread",
  async (on, form) => {
    for (const [rows, n] of [[64, 66_001], [64, 140_000]]) {
      await assertLikeReference(
        on,
        (on) => classify(on, { rows, n, smoothing: 0.1 }),
        [
          // Differences of logits near 40, which are rounded to 4e-6.
          { absolute: 8e-6, relative: 1e-6 },
          { absolute: 0, relative: 3e-7 },
          { absolute: 2e-5, relative: 0 },
        ],
        `${form}, ${rows} rows of ${n}`,
      );
    }
  },
  registers,
);

onEveryForm(
  "slow: layer norm of rows too long or too many for a thread",
  async (on, form) => {
    for (
      const shape of [[1, 4, 70_001], [2, 2, 120_000], [1, 70_001, 8]] as const
    ) {
      await assertLikeReference(
        on,
        (on) => normalize(on, { shape }),
        // Of 70,001 rows of 8, some have little variance and lose digits to
        // cancellation. The gradients of vectors are sums over all rows.
        [0, 1, 2, 3].map(() => ({ absolute: 2e-5, relative: 1e-5 }))
          .concat({ absolute: 2e-3, relative: 1e-5 }),
        `${form}, ${shape}`,
      );
    }
  },
  registers,
);

Deno.test({
  name: "webgpu layer norm refuses rows too long for all threads",
  // Other adapters do loops of any length.
  ignore: !adapters[0]?.software,
  fn: async () => {
    const on = await webgpuBackend();
    const x = real(on, [1, 1, 5_100_001]);
    const [means, inverses] = [real(on, [1, 1]), real(on, [1, 1])];
    assertThrows(
      () => on.layerNorm(x, undefined, undefined, 0, x, means, inverses),
      DeviceError,
      "layerNorm: 60",
    );
  },
});
