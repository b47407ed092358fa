/** `reproduce` as a program: runs, measures, their report, and going on. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ReproductionSummary } from "../../cli/reproduction_summary.ts";
import { createOutlook } from "../../cli/outlook.ts";
import { readReproduceRequest } from "../../cli/reproduce_request.ts";
import { plannedRuns } from "../../cli/reproduction_plan.ts";
import { readEvaluations, readMetrics } from "../../train/mod.ts";
import { inFolder, interruptAfter, run, start } from "./task_process.ts";

const tiny = {
  data: ["small.txt"],
  layers: 8,
  before: 0,
  after: 0,
  dim: 16,
  heads: 2,
  seq: 16,
  batch: 2,
  steps: 24,
  warmup: 2,
  "probe-every": 4,
  "evaluate-every": 4,
};

Deno.test({
  name: "reproduce trains, measures and compares, and goes on after Ctrl-C",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const path = `${folder}/tiny.json`;
      await Deno.writeTextFile(path, JSON.stringify({ gpt: tiny }));
      const child = await start(
        folder,
        "reproduce",
        "gpt --config tiny.json --seed 3 --threads 1 --out all".split(" "),
      );
      const stopped = await interruptAfter(child, "Run 2 of 3", "SIGINT");
      assertEquals(stopped.code, 0, stopped.stderr);
      assertStringIncludes(
        stopped.stdout,
        "deno task reproduce --resume all",
      );
      const serial = `${folder}/all/gpt/serial`;
      const before = await Deno.stat(`${serial}/metrics.jsonl`);

      const resumed = await run(
        folder,
        "reproduce",
        "--resume all --threads 1 --json".split(" "),
      );
      assertEquals(resumed.code, 0, resumed.stderr);
      const { done, tasks, report } = JSON.parse(
        resumed.stdout,
      ) as ReproductionSummary;
      assertEquals(done, true);
      for (const { steps, measured } of Object.values(tasks.gpt)) {
        assertEquals(steps, tiny.steps);
        assert(measured!.metrics.perplexity > 1);
      }
      // Runs that were finished are left alone.
      const after = await Deno.stat(`${serial}/metrics.jsonl`);
      assertEquals(before.mtime, after.mtime);
      assertEquals((await readEvaluations(serial)).length, 1);
      // The same batches from the same parameters: the same first loss
      const losses = await Promise.all(
        ["serial", "fixed", "adaptive"].map(async (name) => {
          const events = await readMetrics(`${folder}/all/gpt/${name}`);
          const first = events.find(({ type }) => type === "step");
          return first?.type === "step" ? first.loss : NaN;
        }),
      );
      assertEquals(new Set(losses).size, 1, String(losses));
      const html = await Deno.readTextFile(`${folder}/${report}`);
      assertStringIncludes(
        html,
        "deno task reproduce gpt --config tiny.json --seed 3",
      );
      const svg = await Deno.readTextFile(`${folder}/all/gpt-loss.svg`);
      assertStringIncludes(svg, "<svg ");
    }),
});

Deno.test({
  name: "slow: reproduce fine-tunes BERT from its runs and from nothing",
  ignore: !Deno.env.has("LAYERBRAID_SLOW"),
  fn: () =>
    inFolder(async (folder) => {
      const { data: _, ...small } = tiny;
      const bert = { ...small, vocabulary: 300 };
      const path = `${folder}/tiny.json`;
      const classify = { steps: 8, warmup: 2, batch: 4 };
      await Deno.writeTextFile(path, JSON.stringify({ bert, classify }));
      const { code, stdout, stderr } = await run(
        folder,
        "reproduce",
        "bert --config tiny.json --threads 1 --out all --json".split(" "),
      );
      assertEquals(code, 0, stderr);
      const summary = JSON.parse(stdout) as ReproductionSummary;
      assertEquals(summary.done, true);
      const found = Object.values(summary.fineTuning);
      assertEquals(found.length, 3);
      for (const measured of found) assert(measured!.metrics.accuracy > 0);
      // Other weights to begin with, other models
      assertEquals(new Set(found.map((measured) => measured!.loss)).size, 3);
    }),
});

Deno.test("reproduce refuses what is wrong in one line that says where", () =>
  inFolder(async (folder) => {
    const write = (name: string, content: unknown): Promise<void> =>
      Deno.writeTextFile(`${folder}/${name}.json`, JSON.stringify(content));
    await write("key", { tagger: { stepz: 3 } });
    await write("task", { taggr: {} });
    await write("own", { vit: { solver: "serial" } });
    await write("together", { gpt: { dim: 10 } });
    await write("bert", { classify: { dim: 16 } });
    await write("missing", { vit: { data: ["nowhere"] } });
    const cases: [string, string][] = [
      ["tager", "tager: expected gpt, bert, tagger"],
      ["--config none.json", "--config none.json: there is no such file"],
      ["--config key.json", 'key.json: tagger: there is no option "stepz"'],
      ["--config task.json", 'task.json: there is no task "taggr"; did you'],
      ["--config own.json", 'own.json: vit: "solver" can\'t be set'],
      ["gpt --config together.json", "together.json: gpt: --dim 10 isn't a"],
      ["--config bert.json", 'bert.json: classify: "dim" is that of bert'],
      ["vit --config missing.json", "nowhere: no such file or folder"],
      ["--resume", "there is no reproduction in runs/"],
      ["--resume nowhere", "--resume nowhere: there is no such reproduction"],
      ["--resume x --quick", "--quick contradicts --resume"],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await run(
        folder,
        "reproduce",
        args.split(" "),
      );
      assertEquals([code, stdout], [2, ""], args);
      assertStringIncludes(stderr, message);
      assertEquals(stderr.trim().split("\n").length, 1, stderr);
    }
    const files = await Array.fromAsync(Deno.readDir(folder));
    assert(files.every(({ isFile }) => isFile), "nothing is written");
  }));

Deno.test("the reproductions have the paper's iterations, full and quick", async () => {
  for (const args of [[], ["--quick"]]) {
    const request = await readReproduceRequest([...args, "--seed", "7"]);
    const runs = plannedRuns(request);
    assertEquals(runs.length, 18);
    const of = (task: string, name: string) =>
      runs.find((run) => run.task === task && run.name === name)!.values;
    const iterations = ["gpt", "bert", "tagger", "vit", "translation"].map(
      (task) => {
        const values = of(task, "fixed");
        const [forward] = values.levels!;
        return [
          forward === 1 ? "serial" : values.forwardIterations,
          values.backwardIterations,
          ...values.coarsening,
        ].join("/");
      },
    );
    assertEquals(iterations, [
      "serial/1/4",
      "1/1/4",
      "2/1/2",
      "serial/1/4",
      "2/1/3",
    ]);
    for (const { values } of runs) assertEquals(values.seed, 7);
    assertEquals(of("bert", "serial").solver, "serial");
    assertEquals(of("bert", "fixed").policy, "fixed");
    // Weights go over one to one.
    assertEquals(of("classify", "scratch").layers, of("bert", "serial").layers);
    assertEquals(of("classify", "scratch").from, undefined);
  }
  const { settings } = await readReproduceRequest(["vit", "tagger"]);
  assertEquals(Object.keys(settings.tasks), ["tagger", "vit"]);
});

Deno.test("an outlook learns from what is done", () => {
  const { finish, words } = createOutlook(new Map([["a", 10], ["b", 20]]));
  assertEquals(words(), "at least 30 s left in all");
  finish("a", 30);
  assertEquals(words(), "about 1 min 0 s left in all");
  finish("b", 60);
  assertEquals(words(), "about 0.0 s left in all");
});
