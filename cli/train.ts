/**
 * `deno task train`: trains a GPT on text and tells how it went.
 *
 * @module
 */

import { type Tokenizer, tokenizerFromJson } from "../data/mod.ts";
import { runCommand } from "./failure.ts";
import { helpText } from "./help.ts";
import { runInstead } from "./interruption.ts";
import { openDevice } from "./open_device.ts";
import { openOutput } from "./output.ts";
import { enterCallersFolder } from "./path.ts";
import { prepareText } from "./prepare_text.ts";
import { trainCommand } from "./train_command.ts";
import { readTrainRequest, type TrainRequest } from "./train_request.ts";
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
  const { values } = request;
  if (values.help) {
    openOutput("stdout").write(`${helpText(trainCommand)}\n`);
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
  using text = await prepareText(values, savedTokenizer(request));
  const device = await openDevice(values);
  const output = openOutput(values.json ? "stderr" : "stdout");
  const summary = await trainAndTell(request, text, device, output);
  device.close();
  if (values.json) openOutput("stdout").write(`${JSON.stringify(summary)}\n`);
  return 0;
}

/** The tokenizer of a run that goes on. */
function savedTokenizer({ resumed }: TrainRequest): Tokenizer | undefined {
  return resumed &&
    tokenizerFromJson(resumed.checkpoint.manifest.task.description.tokenizer);
}

if (import.meta.main) await runCommand("train", () => main(Deno.args));
