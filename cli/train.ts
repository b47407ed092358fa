/**
 * `deno task train`: trains a model and tells how it went.
 *
 * @module
 */

import { runCommand } from "./failure.ts";
import { helpText } from "./help.ts";
import { runInstead } from "./interruption.ts";
import { openDevice } from "./open_device.ts";
import { openOutput } from "./output.ts";
import { enterCallersFolder } from "./path.ts";
import { commandFor, taskKind } from "./tasks/mod.ts";
import { readTrainRequest } from "./train_request.ts";
import { trainAndTell } from "./training_session.ts";

/** What the program may do when it runs itself again without V8 flags. */
const permissions: readonly string[] = [
  "--allow-read",
  "--allow-write",
  "--allow-env=LAYERBRAID_DEVICE,LAYERBRAID_THREADS,DENO_WEBGPU_BACKEND,INIT_CWD",
  "--allow-run",
];

async function main(args: readonly string[]): Promise<number> {
  enterCallersFolder();
  const request = await readTrainRequest(args);
  const { values, resumed, coarse } = request;
  const kind = taskKind(values.task);
  if (values.help) {
    openOutput("stdout").write(`${helpText(commandFor(kind))}\n`);
    return 0;
  }
  if (values.safe) {
    const others = args.filter((argument) => !/^--safe(=|$)/.test(argument));
    return await runInstead(Deno.execPath(), [
      "run",
      ...permissions,
      import.meta.url,
      ...others,
    ]);
  }
  const { checkpoint } = resumed ?? coarse ?? {};
  const begun = checkpoint?.manifest.task.description;
  using prepared = await kind.prepare(values, begun);
  const device = await openDevice(values);
  const output = openOutput(values.json ? "stderr" : "stdout");
  const summary = await trainAndTell(request, prepared, device, output);
  device.close();
  if (values.json) openOutput("stdout").write(`${JSON.stringify(summary)}\n`);
  return 0;
}

if (import.meta.main) await runCommand("train", () => main(Deno.args));
