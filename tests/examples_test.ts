import { assert, assertEquals } from "@std/assert";

/** What an example prints, line by line. */
async function run(name: string): Promise<string[]> {
  const example = new URL(`../examples/${name}.ts`, import.meta.url);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", example.pathname],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim().split("\n");
}

function numbersIn(line: string): number[] {
  return (line.match(/-?\d[\d.]*(e[+-]?\d+)?/g) ?? []).map(Number);
}

Deno.test("example: Dahlquist's equation converges to the march", async () => {
  const lines = await run("dahlquist");
  const residuals = lines.slice(0, -1).map((line) => numbersIn(line)[1]);
  assertEquals(residuals.length, 5);
  residuals.slice(1).forEach((residual, k) =>
    assert(residual < residuals[k] / 10)
  );
  const [, multigrid, march] = numbersIn(lines.at(-1)!);
  assert(Math.abs(multigrid - march) < 1e-6);
});

Deno.test("example: a residual network learns", async () => {
  const losses = (await run("residual_mlp")).map((line) => numbersIn(line)[1]);
  assertEquals(losses.length, 5);
  assert(losses[4] < losses[0] / 4);
});
