import { assertEquals } from "@std/assert";
import { grad } from "../../autograd/mod.ts";
import { solve, type SolveOptions } from "../../mgrit/mod.ts";
import { device, mean, mul, type Tensor, tensor } from "../../tensor/mod.ts";
import { testLeakFree } from "../leak_free.ts";

testLeakFree(
  "tensors of the context may be freed before the backward pass",
  () => device("reference", { dtype: "f64" }),
  async () => {
    const block = {
      layers: 4,
      endTime: 1,
      rightHandSide: (x: Tensor, rate: Tensor, { mask }: { mask: Tensor }) =>
        mul(mul(mask, x), rate),
    };
    const rates = tensor([0.1, 0.2, 0.3, 0.4], { shape: [4, 1] });
    const x = tensor([1, 2]);
    const gradientWith = async (
      options: SolveOptions<Tensor>,
    ): Promise<unknown> => {
      const gradient = grad((rates: Tensor) => {
        // A mask of this scope alone.
        const mask = tensor([1, 0]);
        return mean(solve(block, x, rates, { mask }, options));
      });
      return await gradient(rates).array();
    };
    const serial = await gradientWith({});
    const passes = {
      levels: 2,
      coarsening: 2,
      relaxation: "F",
      iterations: 4,
      guess: "input",
    } as const;
    assertEquals(await gradientWith({ remat: true }), serial);
    for (const execution of ["sequential", "stacked"] as const) {
      for (const remat of [false, true]) {
        assertEquals(
          await gradientWith({
            forward: passes,
            backward: passes,
            execution,
            remat,
          }),
          serial,
        );
      }
    }
  },
);
