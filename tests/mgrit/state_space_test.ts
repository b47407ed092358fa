/** Spaces of states: norms, and how many kernels they take. */

import { assertAlmostEquals, assertEquals } from "@std/assert";
import { stackedTrees, unstackStates } from "../../mgrit/stacked_states.ts";
import { trees } from "../../mgrit/state_space.ts";
import * as t from "../../tensor/mod.ts";

/** Launches and value of the norm of states, which are then freed. */
async function norm(
  device: t.Device,
  states: readonly t.Tensor[],
): Promise<{ value: number; launches: number }> {
  const { launches } = device;
  const value = await trees<t.Tensor>().norm(states);
  return { value, launches: device.launches - launches };
}

Deno.test("the norm of states in one memory is one kernel", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  using _scope = cpu.scope();
  const stacked = t.normal([6, 2, 3], t.randomKey(1));
  const expected = Math.hypot(...await stacked.data());
  const states = unstackStates(stacked, 6);
  for (const order of [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]]) {
    const { value, launches } = await norm(cpu, order.map((i) => states[i]));
    assertEquals(launches, 1);
    assertAlmostEquals(value, expected, 1e-12 * expected);
  }
  cpu.close();
});

Deno.test("norms of states here and there, twice, of other shapes", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  using _scope = cpu.scope();
  const stacked = t.normal([4, 3], t.randomKey(1));
  const [a, b, c, d] = unstackStates(stacked, 4);
  const other = t.normal([2, 2], t.randomKey(2));
  // Same memory as the states before, another shape and other strides.
  const turned = t.transpose(stacked);
  const cases = [[], [a], [a, a, a], [a, b, d], [d, other, b, c], [
    a,
    turned,
    b,
    other,
  ]];
  for (const states of cases) {
    const values = await Promise.all(states.map((x) => x.data()));
    const expected = Math.hypot(...values.flatMap((x) => [...x]));
    const { value } = await norm(cpu, states);
    assertAlmostEquals(value, expected, 1e-12 * (1 + expected));
  }
  cpu.close();
});

Deno.test("states of two memories, taken in turns, are two copies", async () => {
  const cpu = await t.device("reference", { dtype: "f64" });
  using _scope = cpu.scope();
  const [even, odd] = [1, 2].map((seed) =>
    unstackStates(t.normal([4, 3], t.randomKey(seed)), 4)
  );
  const states = even.flatMap((x, i) => [x, odd[i]]);
  const { launches } = cpu;
  const [...sums] = stackedTrees<t.Tensor>().axpy(2, states, states);
  assertEquals(cpu.launches - launches, 2 * 2 + 1);
  for (const [i, sum] of sums.entries()) {
    const expected = (await states[i].data()).map((x) => 3 * x);
    for (const [k, x] of (await sum.data()).entries()) {
      assertAlmostEquals(x, expected[k], 1e-12);
    }
  }
  cpu.close();
});
