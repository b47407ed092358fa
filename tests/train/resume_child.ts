/**
 * A training run in a process of its own, to be killed: it goes on from the
 * newest checkpoint, and says so at each step.
 */

import {
  deviceFromEnvironment,
  listCheckpoints,
  train,
} from "../../train/mod.ts";
import { tinyGpt, tinyOptions } from "./tiny_gpt.ts";

const [folder, steps] = Deno.args;
await deviceFromEnvironment();
const options = tinyOptions(Number(steps), {
  folder,
  resume: (await listCheckpoints(folder)).length > 0,
  checkpointInterval: 1,
  keep: 2,
});
for await (const event of train(tinyGpt(), options)) {
  if (event.type === "step") console.log(event.step);
}
