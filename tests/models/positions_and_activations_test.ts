import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  activate,
  activationFromHuggingFace,
  activations,
  sinusoids,
} from "../../models/mod.ts";
import { device, tensor } from "../../tensor/mod.ts";

Deno.test("sinusoids have their sines and cosines in both layouts", async () => {
  const cpu = await device("reference", { dtype: "f64" });
  for (const width of [6, 7]) {
    const half = Math.ceil(width / 2);
    const halves = await sinusoids(5, width, "halves").data();
    const interleaved = await sinusoids(5, width, "interleaved").data();
    for (let position = 0; position < 5; position++) {
      for (let pair = 0; pair < half; pair++) {
        const angle = position * Math.exp(-2 * pair / width * Math.log(1e4));
        const row = position * width;
        assertAlmostEquals(halves[row + pair], Math.sin(angle), 1e-14);
        assertEquals(interleaved[row + 2 * pair], halves[row + pair]);
        if (2 * pair + 1 === width) continue;
        assertAlmostEquals(halves[row + half + pair], Math.cos(angle), 1e-14);
        assertEquals(
          interleaved[row + 2 * pair + 1],
          halves[row + half + pair],
        );
      }
    }
  }
  cpu.close();
});

Deno.test("activations have their values and Hugging Face's names", async () => {
  const cpu = await device("reference", { dtype: "f64" });
  const x = tensor([-1, 0, 2]);
  const erf = 0.9544997361036416; // erf(√2), for 2 Φ(2) = 1 + erf(2 / √2)
  const expected = {
    gelu: 1 + erf,
    "gelu-tanh": 1 + Math.tanh(Math.sqrt(2 / Math.PI) * (2 + 0.044715 * 8)),
    relu: 2,
    silu: 2 / (1 + Math.exp(-2)),
  };
  for (const name of activations) {
    const [, zero, two] = await activate(x, name).data();
    assertEquals(zero, 0);
    assertAlmostEquals(two, expected[name], 1e-12);
  }
  assertEquals(activationFromHuggingFace("N", "f", "gelu_new"), "gelu-tanh");
  assertEquals(activationFromHuggingFace("N", "f", "swish"), "silu");
  assertThrows(
    () => activationFromHuggingFace("Net", "hidden_act", "toString"),
    RangeError,
    'Net: hidden_act "toString" isn\'t one of gelu, gelu_new',
  );
  cpu.close();
});
