/**
 * `deno task tune`: measures settings of the solver and recommends some.
 *
 * @module
 */

import { tuneSettings } from "../train/tune_setting.ts";
import { runCommand, UsageError } from "./failure.ts";
import { helpText } from "./help.ts";
import { openDevice } from "./open_device.ts";
import { openOutput } from "./output.ts";
import { parseArguments } from "./parse.ts";
import { enterCallersFolder } from "./path.ts";
import { prepareText } from "./prepare_text.ts";
import { damageNotes } from "./run_folder.ts";
import { trainCommand } from "./train_command.ts";
import { tuneCommand } from "./tune_command.ts";
import { makeModel, readTuneRequest, savedTokenizer } from "./tune_request.ts";
import { tuneAndTell } from "./tuning_session.ts";

async function main(args: readonly string[]): Promise<number> {
  enterCallersFolder();
  const given = parseArguments(tuneCommand, args);
  if (given.help) {
    openOutput("stdout").write(`${helpText(tuneCommand)}\n`);
    return 0;
  }
  const request = await readTuneRequest(given);
  const { values, checkpoint } = request;
  const output = openOutput(values.json ? "stderr" : "stdout");
  if (checkpoint !== undefined) {
    for (const note of damageNotes(checkpoint.path, checkpoint.damaged)) {
      output.write(`Note: ${note}.\n`);
    }
  }
  const validation = trainCommand.options.validation.default;
  const tokenizer = savedTokenizer(request);
  using text = await prepareText(
    { ...values, validation, validationData: [] },
    tokenizer,
  );
  const device = await openDevice(values);
  const model = makeModel(request, text);
  const { layers } = model.configuration;
  const settings = tuneSettings(layers, values);
  if (settings.length === 0) {
    throw new UsageError(
      `no setting fits ${layers} layers: on the coarsest of --levels ` +
        `${values.levels} with --coarsening ${values.coarsening} there must ` +
        `be two steps, --guess skip needs an iteration, and --iterations a ` +
        `direction that isn't serial`,
    );
  }
  const { path } = checkpoint ?? {};
  const session = { values, model, settings, device, path, output };
  const summary = await tuneAndTell(session);
  device.close();
  if (values.json) openOutput("stdout").write(`${JSON.stringify(summary)}\n`);
  return 0;
}

if (import.meta.main) await runCommand("tune", () => main(Deno.args));
