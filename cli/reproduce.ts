/**
 * `deno task reproduce`: trains the paper's networks serially and
 * layer-parallel, and compares.
 *
 * @module
 */

import { runCommand } from "./failure.ts";
import { helpText } from "./help.ts";
import { openDevice } from "./open_device.ts";
import { openOutput } from "./output.ts";
import { enterCallersFolder } from "./path.ts";
import { reproduceCommand } from "./reproduce_command.ts";
import { readReproduceRequest } from "./reproduce_request.ts";
import { reproduceAndTell } from "./reproducing_session.ts";

async function main(args: readonly string[]): Promise<number> {
  enterCallersFolder();
  const request = await readReproduceRequest(args);
  const { values } = request;
  if (values.help) {
    openOutput("stdout").write(`${helpText(reproduceCommand)}\n`);
    return 0;
  }
  const device = await openDevice(values);
  const output = openOutput(values.json ? "stderr" : "stdout");
  const summary = await reproduceAndTell(request, device, output);
  device.close();
  if (values.json) openOutput("stdout").write(`${JSON.stringify(summary)}\n`);
  return 0;
}

if (import.meta.main) await runCommand("reproduce", () => main(Deno.args));
