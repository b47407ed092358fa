/** `tune` as a program: what it prints, recommends and exits with. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
} from "@std/assert";
import type { Direction } from "../../mgrit/mod.ts";
import { trainingSolver } from "../../cli/solver_values.ts";
import { readTrainRequest } from "../../cli/train_request.ts";
import type { TuningSummary } from "../../cli/tuning_session.ts";
import { trainArguments } from "../../train/tune_choice.ts";
import {
  directionOptions,
  type TuneSetting,
  tuneSettings,
} from "../../train/tune_setting.ts";
import { inFolder, interruptAfter, run, start, tiny } from "./task_process.ts";

const small =
  "--before 2 --layers 32 --after 1 --dim 8 --heads 2 --seq 8 --batch 2 --threads 1 --data small.txt"
    .split(" ");
const few =
  "--levels 2 --coarsening 4 --relaxation F --guess input --iterations 1/0,1/1"
    .split(" ");

Deno.test("tune compares settings, recommends some, and ends with JSON", () =>
  inFolder(async (folder) => {
    const { code, stdout, stderr } = await run(folder, "tune", [
      ...small,
      ...few,
      ..."--cosine -1 --all --json".split(" "),
    ]);
    assertEquals(code, 0, stderr);
    const summary = JSON.parse(stdout) as TuningSummary;
    assertEquals(stdout.trim().split("\n").length, 1);
    assertEquals(summary.devices, [1, 2, 4, 8, 16, 32, 64, 128, 256]);
    assertEquals(summary.interrupted, false);
    assertEquals(summary.settings.length + summary.slower, 2);
    // A third of the serial path: faster, however noisily it is measured.
    const quickest = summary.settings.find(({ setting }) =>
      setting.backward === 0
    )!;
    assert(quickest.times.every((time) => time > 0));
    const last = summary.recommended.at(-1)!;
    assert(last.speedUp > 1 && last.setting !== undefined);
    assertAlmostEquals(last.speedUp, summary.serial / last.milliseconds);
    // The table, to be read
    assertStringIncludes(stderr, "GPT, layers 2 + 32 + 1, width 8");
    assertStringIncludes(stderr, trainArguments(last.setting));
  }));

Deno.test("tune looks at a trained model, with its text and its batches", () =>
  inFolder(async (folder) => {
    const trained = await run(folder, "train", [
      ...tiny,
      ..."--layers 16 --steps 2 --solver serial --out book".split(" "),
    ]);
    assertEquals(trained.code, 0, trained.stderr);
    const from = ["--from", "book", "--threads", "1", ...few];
    const { code, stdout, stderr } = await run(folder, "tune", from);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "+ 16 + 1, width 16");
    assertStringIncludes(stdout, "book/checkpoints/");
    assertStringIncludes(stdout, "2 sequences of 16 tokens");

    const other = await run(folder, "tune", [...from, "--dim", "32"]);
    assertEquals(other.code, 2);
    assertStringIncludes(other.stderr, "--dim 32 contradicts --from book");
  }));

Deno.test("tune says what is wrong with its options", () =>
  inFolder(async (folder) => {
    const data = ["--data", "small.txt", "--threads", "1"];
    const mistakes: [string[], string][] = [
      [["--layers", "3", ...data], "no setting fits 3 layers"],
      [["--levels", "1"], "--levels 1: expected an integer ≥ 2"],
      [["--iterations", "2"], "--iterations 2: expected pairs such as 2/1"],
      [["--iterations", "2/x"], "expected pairs such as 2/1 or serial/1"],
      [["--from", "nowhere"], "--from nowhere: there is no such run"],
      [["--from"], "--from: there is no run in runs/"],
      [["--dim", "30", ...data], "width 30 must be a multiple of the 4 heads"],
      [["--batches", "0"], "--batches 0: expected an integer ≥ 1"],
    ];
    for (const [args, message] of mistakes) {
      const { code, stdout, stderr } = await run(folder, "tune", args);
      assertEquals(code, 2, stderr);
      assertStringIncludes(stderr, message);
      assertEquals(stderr.trim().split("\n").length, 1);
      assert(!stdout.includes("Milliseconds"), stdout);
    }
  }));

Deno.test({
  name: "Ctrl-C ends tuning with what was found",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const child = await start(folder, "tune", [...small, "--batches", "9"]);
      const { code, stdout, stderr } = await interruptAfter(
        child,
        "compare",
        "SIGINT",
      );
      assertEquals(code, 0, stderr);
      assertEquals(stderr, "");
      assertStringIncludes(stdout, "Stopping; again to stop at once.");
      assertStringIncludes(stdout, "Stopped after");
      assertStringIncludes(stdout, "options of train");
    }),
});

Deno.test("the options that tuning recommends make train solve just so", async () => {
  const layers = 32;
  const settings = tuneSettings(layers, {
    levels: [2, 3],
    coarsening: [2, 4],
    relaxation: ["F", "FCF"],
    guess: ["input", "skip", "nested"],
    iterations: [["serial", 1], [2, "serial"], [1, 1], [3, 2]],
  });
  for (const setting of settings) {
    const args = `--layers ${layers} ${trainArguments(setting)}`.split(" ");
    const { values } = await readTrainRequest(args);
    const solver = trainingSolver(values);
    assert(solver !== undefined);
    for (const direction of ["forward", "backward"] as const) {
      assertSame(setting, direction, solver[direction]);
    }
  }
});

/** As far as a serial direction, or two levels, have a use for options. */
function assertSame(
  setting: TuneSetting,
  direction: Direction,
  actual: ReturnType<typeof directionOptions>,
): void {
  const expected = directionOptions(setting, direction);
  assertEquals(actual.levels, expected.levels);
  if (expected.levels === 1) return;
  const relaxations = ({ relaxation }: typeof actual): unknown[] => {
    const list = [relaxation].flat();
    return [0, 1].slice(0, expected.levels - 1).map((level) =>
      list[Math.min(level, list.length - 1)]
    );
  };
  assertEquals(relaxations(actual), relaxations(expected));
  for (const name of ["coarsening", "iterations", "guess"] as const) {
    assertEquals([actual[name]].flat(), [expected[name]]);
  }
}
