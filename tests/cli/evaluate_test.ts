/** `deno task evaluate`: measures a run, and keeps what it found. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { inFolder, run, tiny } from "./task_process.ts";

Deno.test({
  name: "evaluate measures a run, prints that and keeps it",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const trained = await run(folder, "train", [
        ...tiny,
        ..."--steps 4 --sample 0 --out run".split(" "),
      ]);
      assertEquals(trained.code, 0, trained.stderr);
      const { code, stdout, stderr } = await run(folder, "evaluate", [
        ..."--from run --threads 1 --json".split(" "),
      ]);
      assertEquals(code, 0, stderr);
      const record = JSON.parse(stdout);
      const { loss, metrics } = record;
      // Perplexity and bits per byte are the loss in other units; a token is a
      // byte here.
      assert(Math.abs(metrics.perplexity / Math.exp(loss) - 1) < 1e-6);
      assert(Math.abs(metrics.bitsPerByte - loss / Math.LN2) < 1e-6);
      assertStringIncludes(stderr, "perplexity");
      assertMatch(record.checkpoint, /^checkpoints\/step-0*4$/);

      // Other data does without what the run was trained on.
      await Deno.rename(`${folder}/small.txt`, `${folder}/other.txt`);
      const again = await run(folder, "evaluate", [
        ..."--from run --threads 1 --data other.txt".split(" "),
      ]);
      assertEquals(again.code, 0, again.stderr);
      const kept = (await Deno.readTextFile(`${folder}/run/evaluations.jsonl`))
        .trim().split("\n").map((line) => JSON.parse(line));
      assertEquals(kept.length, 2);
      assertEquals(kept[0].metrics, metrics);
      assertEquals(kept[1].data, "other.txt");
      assert(kept[1].examples > kept[0].examples);

      const report = await Deno.readTextFile(`${folder}/run/report.html`);
      assertStringIncludes(report, "<h2>Evaluations</h2>");
      assertStringIncludes(report, "small.txt");

      const wrong = await run(folder, "evaluate", [
        ..."--from run --data small.txt --target small.txt".split(" "),
      ]);
      assertEquals(wrong.code, 2);
      assertStringIncludes(
        wrong.stderr,
        "--target small.txt is for --task translation, not for gpt",
      );
    }),
});
