/** `train --task classify`, from the weights of a BERT, and `evaluate`. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { UsageError } from "../../cli/failure.ts";
import { taskKind } from "../../cli/tasks/mod.ts";
import { readTrainRequest } from "../../cli/train_request.ts";
import { CorpusError } from "../../data/mod.ts";
import { inFolder, run } from "./task_process.ts";

const shape = "--layers 2 --dim 16 --heads 2 --seq 16 --batch 4 --threads 1"
  .split(" ");

/** A table of texts that are about cats or dogs. */
function table(rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const animal = i % 3 === 0 ? "dog" : "cat";
    return `the ${animal} sat on mat ${i}\t${
      animal === "dog" ? "bark" : "purr"
    }`;
  });
  return ["sentence\tlabel", ...lines, ""].join("\n");
}

Deno.test("a BERT is trained, fine-tuned from its weights, and evaluated", () =>
  inFolder(async (folder) => {
    const text = "the cat sat on the mat. the dog ran.\n".repeat(60);
    await Deno.writeTextFile(`${folder}/text.txt`, text);
    await Deno.writeTextFile(`${folder}/animals.tsv`, table(40));
    const pretrained = await run(folder, "train", [
      ..."--task bert --data text.txt --vocabulary 80 --steps 4".split(" "),
      ..."--out bert --json".split(" "),
      ...shape,
    ]);
    assertEquals(pretrained.code, 0, pretrained.stderr);
    const tuned = await run(folder, "train", [
      ..."--task classify --from bert --data animals.tsv --steps 6".split(" "),
      ..."--freeze open --batch 4 --threads 1 --out tuned --json".split(" "),
    ]);
    assertEquals(tuned.code, 0, tuned.stderr);
    assertStringIncludes(tuned.stderr, "40 texts, 2 classes (word-piece)");
    assertStringIncludes(tuned.stderr, "BERT from bert with a head");
    assertStringIncludes(tuned.stderr, "width 16, heads 2");
    assert(JSON.parse(tuned.stdout).valLoss < 2, tuned.stdout);
    const evaluated = await run(folder, "evaluate", [
      ..."--from tuned --threads 1 --json".split(" "),
    ]);
    assertEquals(evaluated.code, 0, evaluated.stderr);
    const { examples, metrics, confusion } = JSON.parse(evaluated.stdout);
    assertEquals(examples, 4);
    assert(metrics.accuracy >= 0 && metrics.accuracy <= 1);
    assertEquals(confusion.classes, ["bark", "purr"]);

    const refuses = async (args: string, words: string) => {
      const request = readTrainRequest([
        ...`--task classify --data ${folder}/animals.tsv`.split(" "),
        ...args.replaceAll("FOLDER", folder).split(" "),
      ]);
      const error = await assertRejects(async () => {
        const { values } = await request;
        await taskKind("classify").prepare(values);
      }, Error);
      assert(error instanceof UsageError || error instanceof CorpusError);
      assertStringIncludes(error.message, words);
    };
    const from = "--from FOLDER/bert";
    await refuses(`${from} --dim 32`, "--dim 32 contradicts --from");
    await refuses(`${from} --seq 17`, "--seq 17 is longer than the 16 tokens");
    await refuses(`${from} --layers 3`, "has 1 + 2 + 1 layers, 4 in all");
    await refuses("--from FOLDER/nowhere", "there is no such run");
    await refuses("--from FOLDER/nowhere/config.json", "there is no such run");
    await refuses("--kind number", `:2: the label "bark" isn't a number`);
    await refuses("--label-column 3", "animals.tsv:1: no column 3");
    await refuses("--tokenizer FOLDER/text.txt", "text.txt:2: token");
    await refuses("--validation 0.001", "of 40 texts leaves none");
    await refuses(
      "--validation-data FOLDER/none.tsv",
      "none.tsv: no such file",
    );
    await refuses("--vocabulary 3", "--vocabulary 3");
  }));
