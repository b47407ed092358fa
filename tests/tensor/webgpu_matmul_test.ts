import { assertEquals } from "@std/assert";
import type { View } from "../../tensor/backend.ts";
import { contiguousStrides } from "../../tensor/shape.ts";
import type { WebgpuBackend } from "../../tensor/webgpu/backend.ts";
import {
  batches,
  contiguous,
  type LooseLayout,
  transposed,
} from "./layouts.ts";
import {
  argumentsOf,
  type Case,
  check,
  forms,
  type Operand,
  operand,
} from "./webgpu_matmul_subject.ts";
import { gpuMissing, gpuValues, webgpuBackend } from "./webgpu_subject.ts";

/** Rows, columns and inner axis. */
const extents: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [2, 3, 5],
  [7, 17, 5],
  [1, 33, 70],
  [65, 1, 33],
  [13, 48, 257],
  [20, 36, 52],
  [97, 31, 33],
];

for (const name of forms) {
  const test = (
    title: string,
    fn: (backend: WebgpuBackend) => Promise<void>,
  ): void =>
    Deno.test({
      name: `webgpu matmul (${name}): ${title}`,
      ignore: gpuMissing,
      fn: async () => fn(await webgpuBackend({ matmul: name })),
    });

  test("NN, NT, TN, TT and strided operands", async (backend) => {
    for (const [m, n, k] of extents) {
      const lefts: LooseLayout[] = [
        { shape: [m, k] },
        transposed([m, k]),
        { shape: [m, k], strides: [3 * k + 1, 3], offset: 2 },
      ];
      const rights: LooseLayout[] = [
        { shape: [k, n] },
        transposed([k, n]),
        { shape: [k, n], strides: [-2 * n, 2], offset: 2 * n * k },
      ];
      for (const left of lefts) {
        for (const right of rights) {
          await check(backend, {
            a: operand(backend, left),
            b: operand(backend, right),
            out: operand(backend, {
              shape: [m, n],
              strides: [n + 3, 1],
              offset: 1,
            }),
            alpha: 1,
          });
        }
      }
    }
  });

  test("large tiles, NN, NT and TN", async (backend) => {
    // Whole tiles, and ragged ones.
    for (const [m, n, k] of [[72, 140, 36], [70, 139, 35]]) {
      for (
        const [left, right] of [
          [contiguous, contiguous],
          [contiguous, transposed],
          [transposed, contiguous],
        ]
      ) {
        await check(backend, {
          a: operand(backend, left([m, k])),
          b: operand(backend, right([k, n])),
          out: operand(backend, { shape: [m, n] }),
          alpha: 1,
        });
      }
    }
  });

  test("alpha, bias and residual", async (backend) => {
    for (const [m, n, k] of [[7, 17, 5], [9, 20, 8]]) {
      const biases: (LooseLayout | undefined)[] = [
        undefined,
        { shape: [m, n], strides: [0, 1] },
        { shape: [m, n], strides: [1, 0] },
        { shape: [m, n], strides: [2 * n, 2] },
      ];
      for (const bias of biases) {
        for (const rest of ["none", "own", "strided", "out"]) {
          const out = operand(backend, { shape: [m, n] });
          await check(backend, {
            a: operand(backend, { shape: [m, k] }),
            b: operand(backend, { shape: [k, n] }),
            out,
            bias: bias && operand(backend, bias),
            residual: rest === "none"
              ? undefined
              : rest === "out"
              ? out
              : operand(backend, {
                shape: [m, n],
                strides: rest === "own" ? undefined : [1, m],
              }),
            alpha: 0.75,
          });
        }
      }
    }
  });

  test("batches with any strides", async (backend) => {
    for (const [left, right, bias] of batches) {
      const shape = [...left.shape.slice(0, -1), right.shape.at(-1)!];
      const out = operand(backend, { shape });
      await check(backend, {
        a: operand(backend, left),
        b: operand(backend, right),
        out,
        bias: bias && operand(backend, bias),
        residual: bias && out,
        alpha: 0.5,
      });
    }
  });

  test("a long inner axis is added in parts, in order", async (backend) => {
    for (const [m, n, k] of [[20, 24, 1060], [9, 5, 1031]]) {
      const shape = [3, m, n];
      const given: Case = {
        a: operand(backend, transposed([3, m, k])),
        b: operand(backend, { shape: [3, k, n] }),
        out: operand(backend, { shape }),
        bias: operand(backend, { shape, strides: [0, 0, 1] }),
        residual: operand(backend, { shape }),
        alpha: 0.5,
      };
      await check(backend, given);
      const stacked = await gpuValues(backend, given.out.view);
      backend.matmul(argumentsOf(given));
      assertEquals(await gpuValues(backend, given.out.view), stacked);
      // A stack computes what its matrices would one by one, bit for bit.
      for (let i = 0; i < 3; i++) {
        const slice = (view: View): View => ({
          ...view,
          shape: view.shape.slice(1),
          strides: view.strides.slice(1),
          offset: view.offset + i * view.strides[0],
        });
        const { a, b, out, bias, residual, alpha } = argumentsOf(given);
        backend.matmul({
          a: slice(a),
          b: slice(b),
          out: slice(out),
          bias: slice(bias!),
          residual: slice(residual!),
          alpha,
        });
      }
      assertEquals(await gpuValues(backend, given.out.view), stacked);
    }
  });

  test("inner axes longer than loops of some adapters can turn", async (backend) => {
    for (
      const [m, n, k] of [[8, 8, 70_001], [8, 8, 300_001], [64, 64, 70_001]]
    ) {
      for (
        const [left, right] of [
          [contiguous, contiguous],
          [contiguous, transposed],
          [transposed, contiguous],
        ]
      ) {
        if (k > 70_001 && left !== right) continue;
        const ones = (layout: LooseLayout): View => {
          const { view, values } = operand(backend, layout);
          backend.write(view.buffer, values.fill(0.5), 0, "f32");
          return view;
        };
        const out = operand(backend, { shape: [m, n] }).view;
        const [a, b] = [ones(left([m, k])), ones(right([k, n]))];
        const residual = undefined;
        const bias = ones({ shape: [m, n] });
        backend.matmul({ a, b, out, bias, residual, alpha: 2 });
        const found = await gpuValues(backend, out);
        assertEquals([...new Set(found)], [2 * (k / 4 + 0.5)]);
      }
    }
  });

  test("operands and result in one buffer", async (backend) => {
    const [m, n, k] = [12, 16, 20];
    const all = operand(backend, { shape: [m * k + k * n + m * n] });
    const part = (shape: number[], offset: number): Operand => ({
      view: {
        ...all.view,
        shape,
        strides: contiguousStrides(shape),
        offset,
      },
      values: all.values,
    });
    const out = part([m, n], m * k + k * n);
    await check(backend, {
      a: part([m, k], 0),
      b: part([k, n], m * k),
      out,
      residual: out,
      alpha: -2,
    });
  });

  test("empty extents", async (backend) => {
    const [m, n] = [7, 18];
    for (const bias of [undefined, operand(backend, { shape: [m, n] })]) {
      await check(backend, {
        a: operand(backend, { shape: [m, 0] }),
        b: operand(backend, { shape: [0, n] }),
        out: operand(backend, { shape: [m, n] }),
        bias,
        alpha: 2,
      });
    }
    for (const [batch, rows, columns] of [[0, 3, 3], [2, 0, 3], [2, 3, 0]]) {
      await check(backend, {
        a: operand(backend, { shape: [batch, rows, 4] }),
        b: operand(backend, { shape: [batch, 4, columns] }),
        out: operand(backend, { shape: [batch, rows, columns] }),
        alpha: 1,
      });
    }
  });

  Deno.test({
    name: `webgpu matmul (${name}): operands too large to bind`,
    ignore: gpuMissing,
    fn: async () => {
      const bindingLimit = 2048;
      const backend = await webgpuBackend({ matmul: name, bindingLimit });
      const cases: [string, number, number, number, number][] = [
        ["NN", 1, 150, 8, 20], // rows of a and the result
        ["NN", 3, 8, 150, 20], // columns of the result
        ["NT", 1, 8, 150, 20],
        ["NN", 1, 6, 10, 350], // the inner axis
        ["TN", 3, 6, 10, 350],
        ["NT", 1, 40, 40, 40],
      ];
      for (const [layout, batch, m, n, k] of cases) {
        const left = layout === "TN" ? transposed : contiguous;
        const right = layout === "NT" ? transposed : contiguous;
        const shape = [batch, m, n];
        const out = operand(backend, { shape });
        await check(backend, {
          a: operand(backend, left([batch, m, k])),
          b: operand(backend, right([batch, k, n])),
          out,
          bias: operand(backend, { shape, strides: [0, 0, 1] }),
          residual: out,
          alpha: 0.5,
        });
      }
    },
  });
}
