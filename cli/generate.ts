/**
 * `deno task generate`: writes text with a trained model, as it is made.
 *
 * @module
 */

import {
  type Checkpoint,
  gptFromCheckpoint,
  loadCheckpoint,
} from "../train/mod.ts";
import { runCommand, UsageError } from "./failure.ts";
import { generateCommand, type GenerateValues } from "./generate_command.ts";
import { helpText } from "./help.ts";
import { listenForInterruption } from "./interruption.ts";
import { openDevice } from "./open_device.ts";
import { bold, openOutput, printable } from "./output.ts";
import { completeOptions, parseArguments } from "./parse.ts";
import { findRun } from "./run_folder.ts";
import { type Writer, writeText } from "./write_text.ts";

async function main(args: readonly string[]): Promise<number> {
  const given = parseArguments(generateCommand, args);
  const values = completeOptions(generateCommand, given);
  if (values.help) {
    console.log(helpText(generateCommand));
    return 0;
  }
  const folder = await findRun("--from", values.from);
  const checkpoint = await loadCheckpoint(folder);
  const device = await openDevice(values);
  await writeWith(makeWriter(checkpoint, values.prompt), values);
  device.close();
  return 0;
}

function makeWriter(checkpoint: Checkpoint, prompt: string): Writer {
  const { configuration, parameters, tokenizer } = gptFromCheckpoint(
    checkpoint,
  );
  if (tokenizer === undefined) {
    throw new UsageError(
      `--from ${checkpoint.path}: the checkpoint has no tokenizer`,
    );
  }
  try {
    tokenizer.encode(prompt);
  } catch (error) {
    throw new UsageError(`--prompt: ${(error as Error).message}`);
  }
  return { configuration, parameters, tokenizer };
}

async function writeWith(
  writer: Writer,
  values: GenerateValues,
): Promise<void> {
  const { prompt, count, temperature, topK, topP, seed } = values;
  const options = { count, temperature, topK, topP, seed };
  const output = openOutput("stdout");
  using interruption = listenForInterruption(() => {});
  output.write(bold(output, prompt));
  for await (const piece of writeText(writer, prompt, options)) {
    output.write(output.columns === undefined ? piece : printable(piece));
    if (interruption.signal.aborted) break;
  }
  output.write("\n");
}

if (import.meta.main) await runCommand("generate", () => main(Deno.args));
