import { goldenDevices, testGolden } from "../golden.ts";
import { goldenMgrit, goldenWarmStart, problems } from "./golden_mgrit.ts";
import { goldenPlainNumbers } from "./golden_plain_numbers.ts";

const { reference64, wasm } = goldenDevices;
const devices = [reference64, wasm];

for (const name of problems) {
  for (const execution of ["sequential", "stacked"] as const) {
    const what = `${name}, ${execution},`;
    testGolden(`mgrit: ${what}`, goldenMgrit(name, execution, true), devices);
    // A few minutes for all of them
    const others = goldenMgrit(name, execution, false);
    testGolden(`mgrit, all settings: ${what}`, others, devices, "rare");
  }
}

testGolden("mgrit: a second batch", goldenWarmStart, devices);
testGolden("mgrit: plain numbers", goldenPlainNumbers, [reference64]);
