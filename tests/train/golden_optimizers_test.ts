import { assertEquals, assertThrows } from "@std/assert";
import * as schedules from "../../train/schedule.ts";
import { goldenDevices, testGolden } from "../golden.ts";
import { goldenOptimizers, goldenSchedules } from "./golden_optimizers.ts";

testGolden("optimizers", goldenOptimizers);
// Plain functions, the same on every device.
testGolden("schedules", goldenSchedules, [goldenDevices.reference64]);

Deno.test("a schedule without warm-up starts at 1", () => {
  const options = { warmup: 0, total: 10 };
  assertEquals(schedules.constant()(7), 1);
  assertEquals(schedules.constantWarmup({ warmup: 0 })(0), 1);
  assertEquals(schedules.linearWarmup(options)(0), 1);
  assertEquals(schedules.cosineWarmup(options)(0), 1);
  assertEquals(schedules.torchBraidCosine(options)(0), 1);
  assertEquals(schedules.cosineWarmup({ ...options, cycles: 1 })(5), 0);
});

Deno.test("schedules refuse impossible options", () => {
  assertThrows(
    () => schedules.linearWarmup({ warmup: 10, total: 10 }),
    RangeError,
    "linearWarmup: total 10 must be more than warmup 10",
  );
  assertThrows(
    () => schedules.constantWarmup({ warmup: 1.5 }),
    RangeError,
    "constantWarmup: warmup is 1.5; it must be an integer ≥ 0",
  );
  assertThrows(() => schedules.inverseSqrt({ warmup: 0 }), RangeError);
  assertThrows(() => schedules.noam({ warmup: 4, dimension: 0 }), RangeError);
  assertThrows(
    () => schedules.cosineWarmup({ warmup: 0, total: 4, cycles: 0 }),
    RangeError,
  );
});
