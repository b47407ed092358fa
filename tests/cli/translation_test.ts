/** `train --task translation` and `evaluate`. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { UsageError } from "../../cli/failure.ts";
import { taskKind } from "../../cli/tasks/mod.ts";
import { openPairs } from "../../cli/tasks/translation_data.ts";
import { readTrainRequest } from "../../cli/train_request.ts";
import { CorpusError, germanNumber } from "../../data/mod.ts";
import { inFolder, run } from "./task_process.ts";

const shape =
  "--layers 2 --decoder-layers 4 --dim 16 --heads 2 --batch 4 --threads 1"
    .split(" ");

Deno.test("a translator is trained by multigrid and evaluated", () =>
  inFolder(async (folder) => {
    const lines = (word: (n: number) => string): string =>
      Array.from({ length: 30 }, (_, n) => `${word(n)}\n`).join("");
    await Deno.writeTextFile(`${folder}/de.txt`, lines(germanNumber));
    await Deno.writeTextFile(`${folder}/digits.txt`, lines(String));
    const trained = await run(folder, "train", [
      ..."--task translation --data de.txt --target digits.txt".split(" "),
      ..."--tokenizer character --coarsening 2 --steps 4".split(" "),
      ..."--probe-every 2 --out run --json".split(" "),
      ...shape,
    ]);
    assertEquals(trained.code, 0, trained.stderr);
    assertStringIncludes(
      trained.stderr,
      "de.txt, 27 pairs to train on and 3 pairs to measure on",
    );
    assertStringIncludes(trained.stderr, "encoder–decoder, layers 2 + 4");
    assertStringIncludes(trained.stderr, "siebenundzwanzig → ");
    const evaluated = await run(folder, "evaluate", [
      ..."--from run --beams 2 --threads 1 --json".split(" "),
    ]);
    assertEquals(evaluated.code, 0, evaluated.stderr);
    const { examples, metrics, samples } = JSON.parse(evaluated.stdout);
    assertEquals(examples, 3);
    assertEquals(Object.keys(metrics), ["exactMatch", "chrf", "accuracy"]);
    assertEquals(samples[2].expected, "29");
  }));

Deno.test("what is to be translated is found, or it is told why not", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/en.txt`, "one\ntwo\nthree\n");
    await Deno.writeTextFile(`${folder}/de.txt`, "eins\nzwei\ndrei\n");
    await Deno.writeTextFile(`${folder}/fr.txt`, "un\ndeux\n");
    await Deno.writeTextFile(`${folder}/table.tsv`, "four\tvier\nfive\tfünf\n");
    await Deno.writeTextFile(`${folder}/bad.tsv`, "four\tvier\nfive\n");
    await Deno.writeTextFile(`${folder}/bad.mo`, "no catalogue at all");
    const open = async (args: string) => {
      const { values } = await readTrainRequest(
        ["--task", "translation", ...args.split(" ")].map((word) =>
          word.replace("FOLDER", folder)
        ),
      );
      return await openPairs(values);
    };
    const parallel = await open(
      "--data FOLDER/en.txt --target FOLDER/de.txt --validation 0.4",
    );
    assertStringIncludes(parallel.name, "en.txt");
    assertEquals(parallel.validation, [{ source: "three", target: "drei" }]);
    const apart = await open(
      "--data FOLDER/table.tsv --validation-data FOLDER/en.txt " +
        "--validation-target FOLDER/de.txt",
    );
    assertEquals([apart.training.length, apart.validation.length], [2, 3]);
    const numbers = await open("--seed 3");
    assertEquals(numbers.training[7], { source: "seven", target: "sieben" });

    const refuses = async (
      args: string,
      kind: typeof UsageError | typeof CorpusError,
      words: string,
    ): Promise<void> => {
      const error = await assertRejects(() => open(args), kind);
      assertStringIncludes(error.message, words);
    };
    await refuses(
      "--target FOLDER/de.txt",
      UsageError,
      "--target needs --data",
    );
    await refuses(
      "--validation-target FOLDER/de.txt",
      UsageError,
      "--validation-target needs --validation-data",
    );
    await refuses(
      "--data FOLDER/en.txt --target FOLDER/fr.txt",
      CorpusError,
      "3 and 2 lines; expected as many",
    );
    await refuses("--data FOLDER/bad.tsv", CorpusError, "bad.tsv:2: no tab");
    await refuses("--data FOLDER/table.tsv", UsageError, "leaves none");
    await refuses("--data gettext:FOLDER", UsageError, "needs --language");
    await refuses(
      "--data gettext:FOLDER --language xx",
      CorpusError,
      "xx/LC_MESSAGES: holds no catalogues",
    );
    await refuses("--data gettext:FOLDER/bad.mo", CorpusError, "bad.mo");
    await refuses(
      "--data gettext:FOLDER --target FOLDER/de.txt",
      UsageError,
      "catalogues hold both languages",
    );

    const prepared = (args: string): Promise<unknown> =>
      readTrainRequest([
        "--task",
        "translation",
        "--data",
        `${folder}/table.tsv`,
        "--validation",
        "0.5",
        "--tokenizer",
        "character",
        ...args.split(" "),
      ]).then(({ values }) => taskKind("translation").prepare(values));
    const short = await assertRejects(() => prepared("--seq 4"), CorpusError);
    assertStringIncludes(short.message, "have more than 4 tokens a sentence");
    assert(await prepared("--seq 5"));
  }));
