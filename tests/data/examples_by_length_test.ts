import { assertEquals } from "@std/assert";
import { examplesByLength } from "../../data/mod.ts";

Deno.test("examples are measured in order of length, each once", () => {
  const batches = [...examplesByLength([7, 5, 9, 5, 1], 2)];
  assertEquals(batches.map((rows) => [...rows]), [[4, 1], [3, 0], [2]]);
});

Deno.test("fewer batches than there are come from everywhere", () => {
  const lengths = Array.from({ length: 40 }, (_, i) => i);
  const batches = [...examplesByLength(lengths, 4, 3)];
  assertEquals(batches.map(([first]) => first), [0, 12, 24]);
  assertEquals([...examplesByLength([3], 4, 3)].map((rows) => [...rows]), [[
    0,
  ]]);
});
