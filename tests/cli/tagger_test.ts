/** Taggers from the command line: trained, measured, made from a BERT. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { inFolder, run } from "./task_process.ts";

function row(id: number, form: string, upos: string): string {
  return [id, form, "_", upos, "_", "_", "_", "_", "_", "_"].join("\t");
}

const sentence = [row(1, "the", "DET"), row(2, "cat", "NOUN"), "", ""];
const small = "--dim 8 --heads 2 --before 0 --after 0 --layers 2 --seq 16 " +
  "--batch 4 --warmup 0 --threads 1";

Deno.test({
  name: "a tagger is trained on CoNLL-U, measured, and made from a BERT",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const write = (name: string, text: string): Promise<void> =>
        Deno.writeTextFile(`${folder}/${name}`, text);
      await write("good.conllu", sentence.join("\n").repeat(20));
      await write("brown.txt", "the/DET cat/nn\nA/at new/jj word/nn\n");
      await write("bad.conllu", `${sentence.join("\n")}1\tthe\tDET\n`);
      await write("text.txt", "the cat sat on the mat. ".repeat(40));
      const tagger = `--task tagger --data good.conllu`;

      const trained = await run(
        folder,
        "train",
        `${tagger} ${small} --steps 8 --lr 1e-2 --out run --json`.split(" "),
      );
      assertEquals(trained.code, 0, trained.stderr);
      assertStringIncludes(trained.stderr, "40 words in 20 sequences");
      assertStringIncludes(trained.stderr, "accuracy");
      const measured = await run(
        folder,
        "evaluate",
        "--from run --data brown.txt --json --threads 1".split(" "),
      );
      assertEquals(measured.code, 0, measured.stderr);
      // Tags that the model doesn't know count as wrong.
      const { examples, metrics, confusion } = JSON.parse(measured.stdout);
      assertEquals(examples, 5);
      assert(metrics.accuracy <= 0.2, measured.stdout);
      assertEquals(confusion.classes, ["DET", "NOUN", "(another)"]);

      const bert = await run(
        folder,
        "train",
        `--task bert --data text.txt --tokenizer byte ${small} --steps 1 --out bert`
          .split(" "),
      );
      assertEquals(bert.code, 0, bert.stderr);
      assertStringIncludes(bert.stdout, "How the model fills gaps:");
      const tuned = await run(
        folder,
        "train",
        `${tagger} --from bert --batch 4 --steps 2 --out tuned --json --threads 1`
          .split(" "),
      );
      assertEquals(tuned.code, 0, tuned.stderr);
      assertStringIncludes(tuned.stderr, "BERT from bert");

      const { code, stderr } = await run(
        folder,
        "train",
        "--task tagger --data bad.conllu --out never".split(" "),
      );
      assertEquals([code, stderr.trim().split("\n").length], [2, 1], stderr);
      assertStringIncludes(stderr, "bad.conllu:4: 3 columns");
    }),
});
