import { device } from "../../tensor/mod.ts";
import { gpuMissing } from "../tensor/webgpu_subject.ts";
import { testLayerParallel } from "./layer_parallel.ts";

testLayerParallel({
  name: "webgpu",
  missing: gpuMissing,
  open: () => device("webgpu"),
  ways: [["stacked", 3]],
  tolerance: 1e-5,
}, "rare");
