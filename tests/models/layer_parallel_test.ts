import { device } from "../../tensor/mod.ts";
import { allWays, testLayerParallel } from "./layer_parallel.ts";

testLayerParallel({
  name: "reference f64",
  open: () => device("reference", { dtype: "f64" }),
  ways: [["sequential", 2], ["stacked", 3]],
  tolerance: 1e-10,
});

testLayerParallel({
  name: "wasm",
  open: () => device("wasm", { threads: 1 }),
  ways: allWays,
  tolerance: 1e-5,
});
