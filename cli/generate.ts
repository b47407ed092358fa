/**
 * `deno task generate`: writes text with a trained model, as it is made, or
 * translates it.
 *
 * @module
 */

import {
  gptFromCheckpoint,
  loadModelCheckpoint,
  type ModelCheckpoint,
  translateTexts,
  translatorFromCheckpoint,
} from "../train/mod.ts";
import { runCommand, UsageError } from "./failure.ts";
import { generateCommand, type GenerateValues } from "./generate_command.ts";
import { helpText } from "./help.ts";
import { listenForInterruption } from "./interruption.ts";
import { openDevice } from "./open_device.ts";
import { bold, openOutput, printable } from "./output.ts";
import { flagName } from "./option.ts";
import { completeOptions, parseArguments } from "./parse.ts";
import { enterCallersFolder } from "./path.ts";
import { damageNotes, findModel } from "./run_folder.ts";
import type { TrainValues } from "./train_command.ts";
import { completeValues } from "./train_request.ts";
import { defaultPrompt, type Writer, writeText } from "./write_text.ts";

async function main(args: readonly string[]): Promise<number> {
  enterCallersFolder();
  const given = parseArguments(generateCommand, args);
  const values = completeOptions(generateCommand, given);
  if (values.help) {
    openOutput("stdout").write(`${helpText(generateCommand)}\n`);
    return 0;
  }
  const folder = await findModel("--from", values.from);
  const checkpoint = await loadModelCheckpoint(folder);
  const { path, damaged } = checkpoint;
  for (const note of damageNotes(path, damaged)) {
    openOutput("stderr").write(`generate: note: ${note}\n`);
  }
  const device = await openDevice(values);
  await (checkpoint.manifest.task.name === "translation"
    ? translatePrompt(checkpoint, given)
    : writeOn(checkpoint, values));
  device.close();
  return 0;
}

/** Writes what a GPT goes on with. */
async function writeOn(
  checkpoint: ModelCheckpoint,
  values: GenerateValues,
): Promise<void> {
  const writer = makeWriter(checkpoint);
  await writeWith(writer, checkPrompt(writer, values.prompt), values);
}

/** Options that say how a GPT chooses among tokens, and how many. */
const ofChoice = ["count", "temperature", "topK", "topP", "seed"] as const;

/** Writes the translation of the prompt. */
async function translatePrompt(
  checkpoint: ModelCheckpoint,
  given: Partial<GenerateValues>,
): Promise<void> {
  const { prompt = "" } = given;
  const unused = ofChoice.find((name) => given[name] !== undefined);
  if (unused !== undefined) {
    throw new UsageError(
      `--${flagName(unused)} ${given[unused]} is for a GPT; ` +
        `${checkpoint.path} is a translator, which searches with the beams ` +
        `of its run`,
    );
  }
  if (prompt.trim() === "") {
    throw new UsageError(
      `--from ${checkpoint.path}: is a translator; give it a sentence by ` +
        `--prompt`,
    );
  }
  const { beams, lengthPenalty } = completeValues(
    checkpoint.manifest.settings.options as Partial<TrainValues> | undefined ??
      {},
  );
  const translator = translatorFromCheckpoint(checkpoint);
  const [text] = await translateTexts(translator, [prompt], {
    beams,
    lengthPenalty,
  });
  openOutput("stdout").write(`${text}\n`);
}

function makeWriter(checkpoint: ModelCheckpoint): Writer {
  const { task } = checkpoint.manifest;
  if (task.name !== "gpt") {
    throw new UsageError(
      `--from ${checkpoint.path}: is of the task "${task.name}", which writes ` +
        `no text; deno task evaluate measures it`,
    );
  }
  const { configuration, parameters, tokenizer } = gptFromCheckpoint(
    checkpoint,
  );
  if (tokenizer === undefined) {
    throw new UsageError(
      `--from ${checkpoint.path}: the checkpoint has no tokenizer`,
    );
  }
  return { configuration, parameters, tokenizer };
}

/** The prompt; where there is none to go on from, what nobody has to say. */
function checkPrompt(
  { tokenizer }: Writer,
  prompt: string | undefined,
): string {
  if (prompt === undefined || prompt === "") return defaultPrompt(tokenizer);
  try {
    tokenizer.encode(prompt);
  } catch (error) {
    throw new UsageError(`--prompt: ${(error as Error).message}`);
  }
  return prompt;
}

async function writeWith(
  writer: Writer,
  prompt: string,
  values: GenerateValues,
): Promise<void> {
  const { count, temperature, topK, topP, seed } = values;
  const options = { count, temperature, topK, topP, seed };
  const output = openOutput("stdout");
  using interruption = listenForInterruption(() => {});
  output.write(bold(output, prompt));
  for await (const piece of writeText(writer, prompt, options)) {
    output.write(output.columns === undefined ? piece : printable(piece));
    if (interruption.signal.aborted || output.isClosed()) break;
  }
  output.write("\n");
}

if (import.meta.main) await runCommand("generate", () => main(Deno.args));
