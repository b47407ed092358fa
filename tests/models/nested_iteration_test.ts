/** Networks made deeper between their layers. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import { solve } from "../../mgrit/mod.ts";
import { refineLayers } from "../../models/mod.ts";
import { device, mul, type Tensor, tensor } from "../../tensor/mod.ts";

const reference = await device("reference", { dtype: "f64" });

Deno.test("refineLayers: constant repeats layers, linear goes between them", async () => {
  const layers = {
    weight: tensor([[[1, 2]], [[3, 6]], [[5, -2]]]),
    parts: [tensor([0, 3, 9])],
  };
  const constant = refineLayers(layers, 3, "constant");
  assertEquals(constant.weight.shape, [9, 1, 2]);
  assertEquals(await constant.parts[0].array(), [0, 0, 0, 3, 3, 3, 9, 9, 9]);
  assertEquals(
    (await constant.weight.data()).slice(0, 8),
    Float64Array.of(
      ...[1, 2, 1, 2, 1, 2, 3, 6],
    ),
  );
  const linear = refineLayers(layers, 3, "linear");
  const expected = [0, 1, 2, 3, 5, 7, 9, 9, 9];
  const values = await linear.parts[0].data();
  expected.forEach((x, i) => assertAlmostEquals(values[i], x, 1e-14));
  assertEquals(linear.weight.shape, [9, 1, 2]);
});

Deno.test("refineLayers: a factor of 1 changes nothing", async () => {
  const layers = tensor([[1, 2], [3, 4]]);
  for (const interpolation of ["constant", "linear"] as const) {
    const same = refineLayers(layers, 1, interpolation);
    assertEquals(await same.array(), await layers.array());
  }
});

Deno.test("refineLayers: linear is exact for what is linear in the layer", async () => {
  // Layer n of N lies at t = n / N.
  const line = (layers: number): number[] =>
    Array.from({ length: layers }, (_, n) => 2 - 3 * n / layers);
  const refined = await refineLayers(tensor(line(4)), 4, "linear").data();
  // Behind the last layer nothing is known: it is repeated.
  line(16).slice(0, 13).forEach((x, n) => {
    assertAlmostEquals(refined[n], x, 1e-14);
  });
  for (const x of refined.slice(13)) assertAlmostEquals(x, refined[12], 1e-14);
});

Deno.test("refineLayers: constant keeps the ODE that a block discretizes", async () => {
  // dx/dt = λ(t) x with λ(t) of four pieces: x(T) = exp(Σ λ h).
  const rates = tensor([1, -0.5, 2, 0.25]);
  const exact = Math.exp((1 - 0.5 + 2 + 0.25) / 4);
  const errorOf = async (factor: number): Promise<number> => {
    const block = {
      layers: 4 * factor,
      endTime: 1,
      rightHandSide: (x: Tensor, rate: Tensor) => mul(rate, x),
    };
    const refined = refineLayers(rates, factor, "constant");
    const end = solve(block, tensor([1]), refined, {});
    return Math.abs(await end.item() - exact);
  };
  const errors = [];
  for (const factor of [1, 2, 4, 8, 16]) errors.push(await errorOf(factor));
  // Forward Euler is of first order: half the step, half the error.
  for (const [i, error] of errors.entries()) {
    if (i > 0) assert(error < 0.6 * errors[i - 1], `${errors}`);
  }
});

Deno.test("refineLayers: leaves nothing behind, and names what is wrong", () => {
  const layers = { x: tensor([1, 2]) };
  const before = reference.stats().liveBuffers;
  const refined = refineLayers(layers, 2, "linear");
  refined.x.dispose();
  assertEquals(reference.stats().liveBuffers, before);
  assertThrows(
    () => refineLayers(layers, 1.5, "linear"),
    RangeError,
    "refineLayers: factor 1.5",
  );
  assertThrows(
    () => refineLayers(layers, 2, "cubic" as "linear"),
    RangeError,
    "cubic",
  );
});
