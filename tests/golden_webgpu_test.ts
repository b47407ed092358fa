/** The golden data on webgpu, which is computed in software on most machines. */

import { device } from "../tensor/mod.ts";
import { type GoldenDevice, testGolden } from "./golden.ts";
import { deviceSets, workgroupForms } from "./golden_sets.ts";
import { goldenMgrit, problems } from "./mgrit/golden_mgrit.ts";
import { gpuMissing } from "./tensor/webgpu_subject.ts";

const webgpu: GoldenDevice = {
  name: "webgpu",
  missing: gpuMissing,
  make: () => device("webgpu"),
};

const workgroups: GoldenDevice = {
  name: "webgpu in workgroups",
  missing: gpuMissing,
  make: () => device("webgpu", { gpu: workgroupForms }),
};

for (const [name, set] of Object.entries(deviceSets)) {
  testGolden(name, set, [webgpu], "slow");
}

// Together they launch every kernel.
for (const name of ["operations", "GPT-2"]) {
  testGolden(name, deviceSets[name], [workgroups], "rare");
}

for (const name of problems) {
  const sequential = goldenMgrit(name, "sequential", true);
  testGolden(`mgrit: ${name}, sequential`, sequential, [webgpu], "rare");
  const others = goldenMgrit(name, "stacked", false);
  testGolden(`mgrit, all settings: ${name}, stacked`, others, [webgpu], "rare");
}
