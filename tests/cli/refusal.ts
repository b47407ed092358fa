/** Calls of `train` that have to be refused before anything is written. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../cli/failure.ts";
import { taskKind } from "../../cli/tasks/mod.ts";
import { readTrainRequest } from "../../cli/train_request.ts";
import { CorpusError } from "../../data/mod.ts";
import { device } from "../../tensor/mod.ts";
import { CheckpointError } from "../../train/mod.ts";
import { inFolder } from "../data/in_folder.ts";
import type { Files } from "./malformed_files.ts";

/** What is in a folder, all the way down. */
export async function listing(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    names.push(path, ...isDirectory ? await listing(path) : []);
  }
  return names.sort();
}

/** A mistake: the files, the options on them, and what the message says. */
export type Case = readonly [files: Files, options: string, message: string];

/** The options with `@` standing for the folder. */
function inside(folder: string, options: string): string[] {
  return options.replaceAll("@", `${folder}/`).split(" ");
}

/**
 * Does what `train` does before its first step, and tells why it can't; paths
 * of the folder begin with `@`.
 */
async function refusal(folder: string, options: string): Promise<string> {
  try {
    const { values } = await readTrainRequest(inside(folder, options));
    using prepared = await taskKind(values.task).prepare(values);
    prepared.task.initialize();
  } catch (error) {
    for (const kind of [UsageError, CorpusError, CheckpointError]) {
      if (!(error instanceof kind)) continue;
      return error.message.replaceAll(`${folder}/`, "@");
    }
    throw error;
  }
  return "nothing is wrong";
}

/** A test that each case is refused, with its message and no trace. */
export function refused(
  name: string,
  options: string,
  cases: () => Promise<readonly Case[]> | readonly Case[],
): void {
  Deno.test(`malformed: ${name}`, async () => {
    await device("reference");
    for (const [files, more, message] of await cases()) {
      await inFolder(files, async (folder) => {
        const before = await listing(folder);
        const told = await refusal(folder, `${options} ${more}`.trim());
        assertStringIncludes(told, message);
        assertEquals(await listing(folder), before);
      });
    }
  });
}
