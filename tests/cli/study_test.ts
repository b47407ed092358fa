/** `study` as a program: three runs, their report, and going on with them. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { StudySummary } from "../../cli/studying_session.ts";
import { readMetrics } from "../../train/mod.ts";
import { inFolder, interruptAfter, run, start } from "./task_process.ts";

const small = [
  ..."--layers 8 --dim 16 --heads 2 --seq 16 --batch 2 --threads 1".split(" "),
  ..."--data small.txt --warmup 2 --probe-every 5 --evaluate-every 5".split(
    " ",
  ),
];

Deno.test("study trains three times and compares", () =>
  inFolder(async (folder) => {
    // No two gradients are as near as that: the adaptive run becomes serial.
    const { code, stdout, stderr } = await run(folder, "study", [
      ...small,
      ..."--steps 10 --smallest-cosine 1 --policy serial".split(" "),
      ..."--out three --json".split(" "),
    ]);
    assertEquals(code, 0, stderr);
    const { runs, done, report } = JSON.parse(stdout) as StudySummary;
    assertEquals(done, true);
    for (const { steps, valLoss } of Object.values(runs)) {
      assertEquals(steps, 10);
      assert(valLoss > 0);
    }
    assertEquals(runs.serial.againstSerial, 0);
    assertEquals(
      runs.fixed.againstSerial,
      runs.fixed.valLoss / runs.serial.valLoss - 1,
    );
    assertEquals([runs.fixed.switches, runs.adaptive.switches], [0, 2]);
    // The same batches from the same parameters: the same first loss
    const first = await Promise.all(
      ["serial", "fixed", "adaptive"].map(async (name) => {
        const events = await readMetrics(`${folder}/three/${name}`);
        return events.find(({ type }) => type === "step");
      }),
    );
    const losses = first.map((event) =>
      event?.type === "step" ? event.loss : NaN
    );
    // The forward solves differ by their discretization error alone.
    assert(Math.abs(losses[1] - losses[0]) < 1e-2, String(losses));
    assertEquals(losses[1], losses[2]);
    const html = await Deno.readTextFile(`${folder}/${report}`);
    assertStringIncludes(html, "deno task study --data small.txt --layers 8");
    for (const name of ["loss", "difference", "ratio", "cosine"]) {
      const svg = await Deno.readTextFile(`${folder}/three/${name}.svg`);
      assertStringIncludes(svg, "<svg ");
    }
    const again = await run(folder, "study", ["--out", "three"]);
    assertEquals(again.code, 2);
    assertStringIncludes(again.stderr, "--resume three");
  }));

Deno.test({
  name: "slow: a study that Ctrl-C stopped goes on to the same end",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const args = [...small, ..."--steps 60 --out".split(" ")];
      const whole = await run(folder, "study", [...args, "whole"]);
      assertEquals(whole.code, 0, whole.stderr);
      const child = await start(folder, "study", [...args, "parts"]);
      const stopped = await interruptAfter(
        child,
        "Run 2 of 3: fixed",
        "SIGINT",
      );
      assertEquals(stopped.code, 0, stopped.stderr);
      assertStringIncludes(
        stopped.stdout,
        "deno task study --resume parts",
      );
      const rest = await run(folder, "study", ["--resume", "parts", "--json"]);
      assertEquals(rest.code, 0, rest.stderr);
      const { runs, done } = JSON.parse(rest.stdout) as StudySummary;
      assertEquals(done, true);
      for (const name of ["serial", "fixed", "adaptive"] as const) {
        const events = await readMetrics(`${folder}/whole/${name}`);
        const last = events.findLast(({ type }) => type === "evaluation");
        assertEquals(
          runs[name].valLoss,
          last?.type === "evaluation" ? last.loss : NaN,
        );
      }
    }),
});

Deno.test("study refuses options that contradict it, in one line", () =>
  inFolder(async (folder) => {
    const cases: [string, string][] = [
      ["--resume", "there is no study in runs/"],
      ["--resume nowhere", "--resume nowhere: there is no such study"],
      [
        "--layers 3 --data small.txt",
        "--coarsening",
      ],
      ["--laiers 3", "did you mean --layers?"],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await run(
        folder,
        "study",
        args.split(" "),
      );
      assertEquals([code, stdout], [2, ""], args);
      assertStringIncludes(stderr, message);
      assertEquals(stderr.trim().split("\n").length, 1, stderr);
    }
  }));
