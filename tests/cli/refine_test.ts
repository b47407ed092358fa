/** Nested iteration from the command line: `--refine`, and `--freeze`. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { loadCheckpoint } from "../../train/mod.ts";
import { inFolder, run, tiny } from "./task_process.ts";

Deno.test({
  name: "a refined run begins with what the shallow one has learned",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const train = (args: string) =>
        run(folder, "train", [
          ...tiny,
          ..."--sample 0".split(" "),
          ...args.split(" "),
        ]);
      const shallow = await train("--layers 2 --steps 3 --out shallow --json");
      assertEquals(shallow.code, 0, shallow.stderr);
      const deep = await run(folder, "train", [
        ..."--refine shallow --steps 1 --warmup 0 --lr 1e-9 --out deep".split(
          " ",
        ),
        ..."--weight-decay 0 --freeze open --json --threads 1".split(" "),
      ]);
      assertEquals(deep.code, 0, deep.stderr);
      const from = await loadCheckpoint(`${folder}/shallow`);
      const { parameters, manifest } = await loadCheckpoint(`${folder}/deep`);
      assertEquals(manifest.optimizer.step, 4);
      const name = "block.mlpInput.weight";
      const { shape, values } = parameters[name];
      assertEquals(shape[0], 4);
      const coarse = from.parameters[name].values;
      const size = coarse.length / 2;
      for (let i = 0; i < values.length; i++) {
        const layer = Math.floor(i / size);
        const expected = coarse[Math.floor(layer / 2) * size + i % size];
        // One step at a learning rate of 1e-9.
        assert(Math.abs(values[i] - expected) < 1e-7);
      }
      assertEquals(
        parameters["open.tokens"].values,
        from.parameters["open.tokens"].values,
      );

      for (
        const [args, words] of [
          [
            "--refine shallow --layers 3",
            "--layers 3 isn't a multiple of the 2",
          ],
          ["--refine shallow --task vit", "contradicts --refine shallow"],
          [
            "--refine shallow --dim 32",
            "--dim 32 contradicts --refine shallow",
          ],
          ["--refine nowhere", "--refine nowhere: there is no such run"],
          ["--data small.txt --freeze opn", "did you mean open?"],
        ]
      ) {
        const { code, stderr } = await run(folder, "train", args.split(" "));
        assertEquals([code, stderr.trim().split("\n").length], [2, 1], stderr);
        assertStringIncludes(stderr, words);
      }
    }),
});
