/**
 * `deno task study`: trains a GPT serially, with fixed multigrid iterations
 * and with accuracy control, and compares.
 *
 * @module
 */

import { runCommand } from "./failure.ts";
import { helpText } from "./help.ts";
import { openDevice } from "./open_device.ts";
import { openOutput } from "./output.ts";
import { enterCallersFolder } from "./path.ts";
import { studyCommand } from "./study_command.ts";
import { readStudyRequest, trainValues } from "./study_request.ts";
import { studyAndTell } from "./studying_session.ts";
import { taskKind } from "./tasks/mod.ts";

async function main(args: readonly string[]): Promise<number> {
  enterCallersFolder();
  const request = await readStudyRequest(args);
  const { values } = request;
  if (values.help) {
    openOutput("stdout").write(`${helpText(studyCommand)}\n`);
    return 0;
  }
  using prepared = await taskKind().prepare(trainValues(values, "serial"));
  const device = await openDevice(values);
  const output = openOutput(values.json ? "stderr" : "stdout");
  const summary = await studyAndTell(request, prepared, device, output);
  device.close();
  if (values.json) openOutput("stdout").write(`${JSON.stringify(summary)}\n`);
  return 0;
}

if (import.meta.main) await runCommand("study", () => main(Deno.args));
