import { multigrid, type Relaxation } from "../../mgrit/mod.ts";
import { assertNear, chainOf, settings } from "./chains.ts";

Deno.test("backward Euler for u' = −u gives XBraid's residuals", () => {
  const step = (u: number, _: number, stride: number): number =>
    u / (1 + 0.5 * stride);
  const solve = (
    steps: number,
    levels: number,
    relaxation: Relaxation[],
    skip: boolean,
    iterations: number,
  ): readonly unknown[] =>
    multigrid(chainOf(steps, step), 1, {
      ...settings<number>(
        levels,
        2,
        relaxation,
        iterations,
        skip ? "skip" : () => 0.456,
      ),
      tolerance: { absolute: 1e-6 },
    }).residuals;
  const table: [ReturnType<typeof solve>, (number | null)[]][] = [
    [
      solve(10, 2, ["FCF"], true, 100),
      [null, 2.845538412744717e-2, 8.621939109118109e-4, 0],
    ],
    [
      solve(24, 2, ["FCF", "FCFCF"], true, 2),
      [null, 2.851112100563486e-2],
    ],
    [
      solve(24, 2, ["FCF", "FCFCF"], false, 2),
      [3.560860788267597e-1, 1.403540388257117e-2],
    ],
    [
      solve(24, 3, ["FCF", "FCFCF"], true, 2),
      [null, 5.856028969765677e-2],
    ],
    [
      solve(24, 3, ["FCF", "FCFCF"], false, 2),
      [3.560860788267597e-1, 1.420884531218444e-2],
    ],
    [
      solve(48, 3, ["FCF"], true, 3),
      [null, 5.856069740975835e-2, 2.454379257814183e-3],
    ],
    [
      solve(10, 3, ["FCF"], true, 3),
      [null, 5.819808898654712e-2, 1.641568299690448e-3],
    ],
  ];
  for (const [actual, expected] of table) {
    // Sixteen digits are given; differences of states lose some.
    assertNear(actual as number[], expected, 1e-12, 1e-15);
  }
});
