/** The benchmarks of gradients, small: what they measure and refuse. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";

async function bench(
  args: string,
): Promise<{ code: number; lines: Record<string, number>[]; stderr: string }> {
  const root = `${import.meta.dirname}/../..`;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-read",
      "--allow-run",
      `--config=${root}/deno.json`,
      `${root}/bench/main.ts`,
      ...args.split(" "),
      "--json",
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  const lines = decode(stdout).trim().split("\n").filter((line) => line !== "");
  return {
    code,
    lines: lines.map((line) => JSON.parse(line)),
    stderr: decode(stderr),
  };
}

Deno.test("bench guess compares guesses, and the input is best", async () => {
  const { code, lines } = await bench(
    "guess --layers 16 --dim 16 --heads 2 --seq 8 --batch 1 --seeds 3",
  );
  assertEquals(code, 0);
  assertEquals(
    lines.map((line) => [line["weight std"], line["state std"]]),
    [[0.02, 1], [0.02, 0.1], [0.04, 1], [0.04, 0.1], [0.08, 1], [0.08, 0.1]],
  );
  for (const line of lines) {
    for (const relaxation of ["F", "FCF"]) {
      const [skip, zero, input] = ["skip", "zero", "input"].map((guess) =>
        line[`${guess}, ${relaxation}`]
      );
      assert(input >= zero && input >= skip, JSON.stringify(line));
      assert(input > 0 && input <= 1, JSON.stringify(line));
    }
  }
});

Deno.test("bench gradients trains and looks at exact gradients", async () => {
  const { code, lines, stderr } = await bench(
    "gradients --solvers serial,input:2/1,input:9/9 --without-buffers skip:2/1 " +
      "--before 1 --layers 8 --after 1 --coarsening 2 --dim 16 --heads 2 " +
      "--seq 8 --batch 2 --steps 4 --every 2 --from 1 --threads 1",
  );
  assertEquals(code, 0, stderr);
  const summary = lines.slice(-4) as Record<string, unknown>[];
  assertEquals(
    summary.map(({ layers, solver }) => `${layers}: ${solver}`),
    [
      "1 + 8 + 1: serial",
      "1 + 8 + 1: input 2/1",
      "1 + 8 + 1: input 9/9",
      "8: skip 2/1",
    ],
  );
  const [serial, , exact] = summary as Record<string, number>[];
  assertEquals(serial["median cosine"], undefined);
  // More iterations than intervals: exact to rounding, so that training is too.
  assert(exact["smallest cosine"] > 1 - 1e-6);
  assert(Math.abs(exact["validation loss"] - serial["validation loss"]) < 1e-4);
  const looks = lines.slice(0, -4).filter(({ cosine }) => cosine !== undefined);
  assertEquals(looks.map(({ batch }) => batch), [2, 4, 2, 4, 2, 4]);
});

Deno.test("bench gradients refuses solvers that aren't", async () => {
  const cases = [
    ["--solvers input", "solver input must be serial, or"],
    ["--solvers skip:0/1", "skip is the first iteration"],
    ["--head none", "--head none must be own or shared"],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await bench(`gradients ${args}`);
    assertEquals(code, 2);
    assertStringIncludes(stderr, message);
  }
});
