import { assertEquals, assertRejects } from "@std/assert";
import { deviceFromEnvironment } from "../../train/mod.ts";

type Variables = Readonly<
  Partial<Record<"LAYERBRAID_DEVICE" | "LAYERBRAID_THREADS", string>>
>;

/** Calls `f` with these variables alone, and puts back what was set before. */
async function withEnvironment(
  variables: Variables,
  f: () => Promise<void>,
): Promise<void> {
  const names = ["LAYERBRAID_DEVICE", "LAYERBRAID_THREADS"] as const;
  const before: Variables = Object.fromEntries(
    names.map((name) => [name, Deno.env.get(name)]),
  );
  const set = (values: Variables): void => {
    for (const name of names) {
      const value = values[name];
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  };
  set(variables);
  try {
    await f();
  } finally {
    set(before);
  }
}

Deno.test("the environment says which device", async () => {
  const cases: [Variables, string][] = [
    [{ LAYERBRAID_DEVICE: "reference" }, "reference"],
    [{ LAYERBRAID_DEVICE: " reference\n" }, "reference"],
    [{ LAYERBRAID_DEVICE: "wasm", LAYERBRAID_THREADS: "1" }, "wasm"],
    [{ LAYERBRAID_DEVICE: "", LAYERBRAID_THREADS: "1" }, "wasm"],
    [{ LAYERBRAID_THREADS: "1" }, "wasm"],
  ];
  for (const [variables, expected] of cases) {
    await withEnvironment(variables, async () => {
      const chosen = await deviceFromEnvironment();
      chosen.close();
      assertEquals(chosen.name, expected, JSON.stringify(variables));
    });
  }
});

Deno.test("what is said explicitly counts more than the environment", async () => {
  const bad = { LAYERBRAID_DEVICE: "nothing", LAYERBRAID_THREADS: "many" };
  await withEnvironment(bad, async () => {
    for (
      const overrides of [
        { device: "reference" },
        { device: "wasm", threads: 1 },
      ]
    ) {
      const chosen = await deviceFromEnvironment(overrides);
      chosen.close();
      assertEquals(chosen.name, overrides.device);
    }
  });
});

Deno.test("a bad device is refused by the name of where it was said", async () => {
  await withEnvironment({ LAYERBRAID_DEVICE: "abacus" }, async () => {
    await assertRejects(
      () => deviceFromEnvironment(),
      RangeError,
      'LAYERBRAID_DEVICE: there is no device "abacus"; choose auto, webgpu, wasm, reference',
    );
    await assertRejects(
      () => deviceFromEnvironment({ device: "sundial" }),
      RangeError,
      'device: there is no device "sundial"',
    );
  });
});

Deno.test("bad numbers of threads are refused by the variable's name", async () => {
  for (const threads of ["0", "-1", "1.5", "many", "65"]) {
    await withEnvironment({ LAYERBRAID_THREADS: threads }, async () => {
      await assertRejects(
        () => deviceFromEnvironment({ device: "wasm" }),
        RangeError,
        `LAYERBRAID_THREADS: "${threads}" must be an integer, 1 … 64`,
      );
    });
  }
});

Deno.test("the reference device is refused several threads", async () => {
  await withEnvironment({ LAYERBRAID_DEVICE: "reference" }, async () => {
    await assertRejects(
      () => deviceFromEnvironment({ threads: 2 }),
      RangeError,
      'threads: 2 are given, but the device "reference" has one',
    );
  });
  const forAll = { LAYERBRAID_DEVICE: "reference", LAYERBRAID_THREADS: "2" };
  await withEnvironment(forAll, async () => {
    const chosen = await deviceFromEnvironment();
    chosen.close();
    assertEquals(chosen.name, "reference");
  });
});
