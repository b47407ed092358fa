/** What goes wrong around a run: what is lost, and how it goes on. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { UsageError } from "../../cli/failure.ts";
import { claimRun } from "../../cli/run_claim.ts";
import { listCheckpoints } from "../../train/mod.ts";
import { inFolder, interruptAfter, run, start, tiny } from "./task_process.ts";

const ignore = Deno.build.os === "windows";

async function savedSteps(folder: string): Promise<number[]> {
  return (await listCheckpoints(folder)).map(({ step }) => step);
}

/** Reads the first output of a task, then no more. */
async function readNoMoreThanBeginning(
  child: Deno.ChildProcess,
): Promise<{ code: number; stderr: string }> {
  const stderr = new Response(child.stderr).text();
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  const { code } = await child.status;
  return { code, stderr: await stderr };
}

Deno.test({
  name: "when nobody reads on, train goes on and generate ends",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const train = await start(folder, "train", [
        ...tiny,
        ..."--steps 40 --evaluate-every 1 --out run".split(" "),
      ]);
      assertEquals(await readNoMoreThanBeginning(train), {
        code: 0,
        stderr: "",
      });
      assertEquals(await savedSteps(`${folder}/run`), [40]);

      const generate = await start(folder, "generate", [
        ..."--from run --count 1000000".split(" "),
      ]);
      assertEquals(await readNoMoreThanBeginning(generate), {
        code: 0,
        stderr: "",
      });
    }),
});

Deno.test({
  name: "a terminal that is closed saves the run",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const child = await start(folder, "train", [
        ...tiny,
        ..."--steps 100000 --out run".split(" "),
      ]);
      const ending = await interruptAfter(child, "/100,000", "SIGHUP");
      assertEquals([ending.code, ending.stderr], [0, ""]);
      assertStringIncludes(ending.stdout, "everything is saved");
      assertEquals((await savedSteps(`${folder}/run`)).length, 1);
    }),
});

Deno.test({
  name: "Ctrl-C while the model writes ends that",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const child = await start(folder, "train", [
        ...tiny,
        ..."--steps 3 --sample 1000000 --out run".split(" "),
      ]);
      const heading = "What the model writes:";
      const ending = await interruptAfter(child, heading, "SIGINT");
      assertEquals([ending.code, ending.stderr], [0, ""]);
      assertStringIncludes(ending.stdout, "Stopping here; again");
      assertStringIncludes(ending.stdout, "report  run/report.html");
    }),
});

Deno.test({
  name: "one process trains in a folder, until it ends or is killed",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const options = [...tiny, "--out", "run", "--save-every", "100000"];
      const long = [...options, "--steps", "100000"];
      const child = await start(folder, "train", long);
      const reader = child.stdout.pipeThrough(new TextDecoderStream());
      let stdout = "";
      for await (const piece of reader.values({ preventCancel: true })) {
        stdout += piece;
        if (stdout.includes("/100,000")) break;
      }
      const other = await run(folder, "train", long);
      child.kill("SIGKILL");
      await Promise.all([
        child.status,
        reader.cancel(),
        child.stderr.cancel(),
      ]);
      assertEquals(other.code, 2);
      assertStringIncludes(
        other.stderr,
        `run: the process ${child.pid} trains`,
      );

      // It has saved nothing, and is replaced.
      assertEquals(await savedSteps(`${folder}/run`), []);
      const dead = await run(folder, "train", ["--resume", "run"]);
      assertStringIncludes(dead.stderr, "holds no checkpoint of a run");
      const next = await run(folder, "train", [...options, "--steps", "3"]);
      assertEquals(next.code, 0, next.stderr);
      const names = [...Deno.readDirSync(`${folder}/run`)].map((x) => x.name);
      assertEquals(names.toSorted(), [
        "checkpoints",
        "metrics.jsonl",
        "report.html",
        "report.json",
      ]);
    }),
});

Deno.test("a claim makes folders, and removes those that stay empty", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a/b`;
    const claim = await claimRun(path);
    await assertRejects(() => claimRun(path), UsageError, "trains in it");
    claim[Symbol.dispose]();
    assertEquals([...Deno.readDirSync(folder)].map((x) => x.name), [
      "small.txt",
    ]);
    const kept = await claimRun(path);
    await Deno.writeTextFile(`${path}/x`, "");
    kept[Symbol.dispose]();
    assertEquals([...Deno.readDirSync(path)].map((x) => x.name), ["x"]);
    await assertRejects(
      () => claimRun(`${folder}/small.txt/c`),
      UsageError,
      "a run can't be saved there",
    );
  }));

Deno.test("a damaged checkpoint is passed over, and said to be", () =>
  inFolder(async (folder) => {
    const made = await run(folder, "train", [
      ...tiny,
      ..."--steps 6 --save-every 3 --beta2 0.95 --out run".split(" "),
    ]);
    assertEquals(made.code, 0, made.stderr);
    const newest = `${folder}/run/checkpoints/step-000006`;
    const more = ["--count", "5", "--from"];

    const manifest = JSON.parse(
      await Deno.readTextFile(`${newest}/manifest.json`),
    );
    assertEquals(manifest.settings.options.beta2, 0.95);
    const report = await Deno.readTextFile(`${folder}/run/report.html`);
    assertMatch(report, /device<[^$]*?wasm/);
    assert(!report.includes("$LAYERBRAID_DEVICE"));

    // To write, the parameters are enough.
    await Deno.remove(`${newest}/optimizer.safetensors`);
    const whole = await run(folder, "generate", [...more, "run"]);
    assertEquals([whole.code, whole.stderr], [0, ""]);
    const one = await run(folder, "generate", [...more, newest]);
    assertEquals(one, whole);
    // Paths are relative to where `deno task` was called.
    const inProject = await run(`${import.meta.dirname}/../..`, "generate", [
      ...more,
      "checkpoints/step-000006",
    ], { INIT_CWD: `${folder}/run` });
    assertEquals(inProject, whole);

    await Deno.truncate(`${newest}/parameters.safetensors`, 9);
    const older = await run(folder, "generate", [...more, "run"]);
    assertEquals(older.code, 0, older.stderr);
    assertMatch(
      older.stderr,
      /^generate: note: \S*6\/parameters.safetensors: is damaged: .*; \S*3 is used in its place\n$/,
    );
    const step = await run(folder, "train", ["--resume", newest]);
    assertEquals(step.code, 2);
    assertStringIncludes(step.stderr, `--resume ${folder}/run\n`);
    const resumed = await run(folder, "train", ["--resume", "run"]);
    assertEquals(resumed.code, 0, resumed.stderr);
    assertMatch(resumed.stdout, /^Note: .* is damaged: /);
    assertStringIncludes(resumed.stdout, "run, from step 3 on");
  }));

Deno.test("a text without new lines has a prompt all the same", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/small.txt`, "abc cab ".repeat(200));
    const made = await run(folder, "train", [
      ...tiny,
      ..."--steps 2 --tokenizer character --out run".split(" "),
    ]);
    assertEquals(made.code, 0, made.stderr);
    const call = /deno task (generate) (--from) (run)\n/.exec(made.stdout);
    assert(call !== null, made.stdout);
    for (const prompt of [[], ["--prompt", ""]]) {
      const args = [...call.slice(2), "--count", "5", ...prompt];
      const { code, stdout, stderr } = await run(folder, "generate", args);
      assertEquals([code, stderr], [0, ""]);
      // The prompt, five characters and a new line.
      assertMatch(stdout, /^[abc ]{6}\n$/);
    }
  }));
