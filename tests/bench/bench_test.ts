/** The benchmarks as programs: what they measure, print and exit with. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gpuMissing } from "../tensor/webgpu_subject.ts";

async function bench(
  args: string,
  permissions: readonly string[] = ["--allow-read"],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      ...permissions,
      `--config=${import.meta.dirname}/../../deno.json`,
      `${import.meta.dirname}/../../bench/main.ts`,
      ...args.split(" ").map((word) => word === '""' ? "" : word),
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

function parseLines(text: string): Record<string, unknown>[] {
  return text.trim().split("\n").map((line) => JSON.parse(line));
}

Deno.test("bench step tells how long steps take, and learns", async () => {
  const { code, stdout, stderr } = await bench(
    "step --layers 1 --dim 16 --heads 2 --seq 8 --batch 2 --vocab 32 " +
      "--steps 5 --json",
  );
  assertEquals([code, stderr], [0, ""]);
  const [result] = parseLines(stdout) as Record<string, number>[];
  const { msPerStep, msMin, tokensPerSecond } = result;
  assert(msMin > 0 && msMin <= msPerStep, stdout);
  // A step is 2 sequences of 8 tokens; the rest is rounding.
  assert(Math.abs(tokensPerSecond * msPerStep / 16_000 - 1) < 1e-6, stdout);
  assert(result.lossLast < result.lossFirst, stdout);
  // Embedding and head 2 · 32 · 16, positions 8 · 16, the last norm 2 · 16, and
  // the layer: 12 · 16² weights, 13 · 16 biases and norms.
  assertEquals(result.parameters, 1024 + 128 + 32 + 3072 + 208);
  assert(Number.isInteger(result.launches) && result.launches > 0, stdout);
  assertEquals([result.submits, result.readbacks], [0, 0]);
  assertEquals(result.jsMsPerStep, undefined);
});

Deno.test({
  name: "bench step on webgpu counts what it asks of the GPU",
  ignore: gpuMissing,
  fn: async () => {
    const { code, stdout, stderr } = await bench(
      "step --layers 1 --dim 16 --heads 2 --seq 8 --batch 2 --vocab 32 " +
        "--steps 10 --device webgpu --json",
    );
    assertEquals(code, 0, stderr);
    const [result] = parseLines(stdout) as Record<string, number>[];
    assert(result.jsMsPerStep > 0 && result.jsMsPerStep <= result.msPerStep);
    assert(Number.isInteger(result.launches) && result.launches > 0, stdout);
    // The loss is read every five steps.
    assertEquals(result.readbacks, 1 / 5);
    assert(result.submits >= 1, stdout);
    assert(result.lossLast < result.lossFirst, stdout);
  },
});

Deno.test({
  name: "bench matmul measures a device that works in the background",
  ignore: gpuMissing,
  fn: async () => {
    const { code, stdout, stderr } = await bench(
      "matmul --sizes 16 --transpose NN --device webgpu --json",
    );
    assertEquals(code, 0, stderr);
    const [{ shape, device, gflopsBest, gflopsMedian }] = parseLines(stdout);
    assertEquals([shape, device], ["16x16x16", "webgpu"]);
    assert(Number(gflopsBest) >= Number(gflopsMedian), stdout);
    assert(Number(gflopsMedian) > 0);
  },
});

Deno.test("bench mgrit: only the coarse march's launches grow with layers", async () => {
  const size = "mgrit --batch 1 --dim 8 --heads 2 --seq 4 --runs 1 --json ";
  const stacked = async (flags: string): Promise<Record<string, number>[]> => {
    const { code, stdout, stderr } = await bench(size + flags);
    assertEquals([code, stderr], [0, ""]);
    const rows = parseLines(stdout).filter(({ way }) => way === "stacked");
    return rows as Record<string, number>[];
  };
  const [few, many] = await stacked("--layers 8,32");
  assertEquals(
    many.launches - many["coarse march"],
    few.launches - few["coarse march"],
  );
  assert(many["coarse march"] > few["coarse march"]);
  const levels = await stacked("--layers 8,32,128 --levels auto");
  assertEquals(levels.map((row) => row.levels), [2, 3, 4]);
  const marches = new Set(levels.map((row) => row["coarse march"]));
  assertEquals(marches.size, 1);
});

Deno.test("bench matmul measures what is asked for, and only that", async () => {
  const sizes = await bench("matmul --sizes 32 --json --transpose NN,TT");
  assertEquals([sizes.code, sizes.stderr], [0, ""]);
  const results = parseLines(sizes.stdout);
  assertEquals(
    results.map(({ shape, transpose }) => [shape, transpose]),
    [["32x32x32", "NN"], ["32x32x32", "TT"]],
  );
  for (const { gflopsBest, gflopsMedian } of results) {
    assert(Number(gflopsBest) >= Number(gflopsMedian));
    assert(Number(gflopsMedian) > 0);
  }
  const shapes = await bench("matmul --shapes 8x4x2 --json --transpose NN");
  assertEquals(parseLines(shapes.stdout).map(({ shape }) => shape), ["8x4x2"]);
});

Deno.test("bench tells how many threads there really were", async () => {
  const size = "matmul --sizes 256 --transpose NN --threads 2 --json";
  // Two threads need permission to read the worker's file.
  for (
    const [permissions, threads] of [[["--allow-read"], 2], [[], 1]] as const
  ) {
    const { stdout } = await bench(size, permissions);
    assertEquals(parseLines(stdout)[0].threads, threads);
  }
});

Deno.test("bench: a wrong flag exits 2 with a line that says so", async () => {
  const cases = [
    ["step --layres 3", "unknown --layres"],
    ["step --layers 0", "--layers 0 must be an integer ≥ 1"],
    ["step --device gpu", 'there is no device "gpu"'],
    ["matmul --shapes 3x4", "--shapes 3x4 must be MxNxK"],
    ["matmul --shapes=", "--shapes needs a value, such as"],
    ['matmul --shapes ""', "an argument is empty"],
    ["matmul --transpose NX", "NX must be NN, NT, TN or TT"],
    ["speed", 'there is no "speed"'],
  ];
  const endings = await Promise.all(cases.map(([args]) => bench(args)));
  for (const [i, { code, stdout, stderr }] of endings.entries()) {
    assertEquals([code, stdout], [2, ""], cases[i][0]);
    assertStringIncludes(stderr, cases[i][1]);
  }
});

Deno.test("bench --help is on stdout", async () => {
  for (const args of ["--help", "step --help", "ops -h"]) {
    const { code, stdout, stderr } = await bench(args);
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "deno task bench step");
  }
});
