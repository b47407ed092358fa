/** `train` and `generate` as programs: what they print, save and exit with. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { readMetrics } from "../../train/mod.ts";
import { inFolder, interruptAfter, run, start, tiny } from "./task_process.ts";

Deno.test("train learns, reports, and ends with one line of JSON", () =>
  inFolder(async (folder) => {
    const { code, stdout, stderr } = await run(folder, "train", [
      ...tiny,
      ..."--steps 40 --lr 0.01 --evaluate-every 20 --json --out a/b".split(" "),
    ]);
    assertEquals(code, 0, stderr);
    const summary = JSON.parse(stdout.trim().split("\n").at(-1)!);
    assertEquals(Object.keys(summary), [
      "run",
      "task",
      "steps",
      "loss",
      "valLoss",
      "metrics",
      "msPerStep",
      "tokensPerSecond",
      "parameters",
      "device",
      "threads",
      "mode",
    ]);
    assertEquals(summary.steps, 40);
    assertEquals(summary.device, "wasm");
    assertEquals(summary.threads, 1);
    // All bytes equally likely is ln 256 = 5.5; forty steps get below 5.
    assert(summary.valLoss < 5, `${summary.valLoss}`);
    assert(summary.msPerStep > 0 && summary.tokensPerSecond > 0);
    assertEquals(stdout.trim().split("\n").length, 1);
    assertStringIncludes(stderr, "a/b/report.html");
    assertMatch(stderr, /step 20\/40 .*validation +\d\.\d{3}/);

    const events = await readMetrics(`${folder}/a/b`);
    assertEquals(events.filter(({ type }) => type === "step").length, 40);
    const html = await Deno.readTextFile(`${folder}/a/b/report.html`);
    assertStringIncludes(html, "small.txt");
    assertStringIncludes(html, "What the model writes");

    const again = await run(folder, "train", [...tiny, "--out", "a/b"]);
    assertEquals(again.code, 2);
    assertStringIncludes(again.stderr, "a/b: holds a run");
  }));

Deno.test({
  name: "Ctrl-C saves, and a resumed run ends as if nothing was",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const steps = ["--steps", "600", "--evaluate-every", "300"];
      const whole = await run(folder, "train", [
        ...tiny,
        ...steps,
        ..."--out whole --json".split(" "),
      ]);
      assertEquals(whole.code, 0, whole.stderr);

      const child = await start(folder, "train", [...tiny, ...steps]);
      const { code, stdout, stderr } = await interruptAfter(
        child,
        "/600",
        "SIGINT",
      );
      assertEquals(code, 0, stderr);
      assertEquals(stderr, "");
      const resume = /deno task train --resume (runs\/\S+-small)\n/.exec(
        stdout,
      );
      assert(resume !== null, stdout);
      const done = Number(/Stopped after step (\d+) of 600/.exec(stdout)?.[1]);
      assert(done >= 1 && done < 600, stdout);

      const contradiction = await run(folder, "train", [
        ..."--resume --layers 2".split(" "),
      ]);
      assertEquals(contradiction.code, 2);
      assertStringIncludes(contradiction.stderr, "--layers 2 contradicts");

      // The newest run, without its options.
      const rest = await run(folder, "train", ["--resume", "--json"]);
      assertEquals(rest.code, 0, rest.stderr);
      assertStringIncludes(rest.stderr, `${resume[1]}, from step ${done} on`);
      const [a, b] = [whole, rest].map(({ stdout }) => JSON.parse(stdout));
      assertEquals([b.steps, b.loss, b.valLoss], [600, a.loss, a.valLoss]);

      const over = await run(folder, "train", ["--resume"]);
      assertEquals(over.code, 2);
      assertStringIncludes(over.stderr, "has done 600 of 600 steps");

      const more = ["--prompt", "the c", "--count", "20"];
      const first = await run(folder, "generate", more);
      const second = await run(folder, "generate", [
        ...more,
        "--from",
        resume[1].slice("runs/".length),
      ]);
      assertEquals(first.code, 0, first.stderr);
      assert(first.stdout.startsWith("the c"), first.stdout);
      assert(first.stdout.length > "the c\n".length);
      assertEquals(second.stdout, first.stdout);
    }),
});

Deno.test({
  name: "train --safe leaves V8's checks on and passes signals on",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const child = await start(folder, "train", [
        ...tiny,
        ..."--steps 100000 --safe --out run".split(" "),
      ]);
      const ending = await interruptAfter(child, "/100,000", "SIGTERM");
      assertEquals(ending.code, 0, ending.stderr);
      assertStringIncludes(ending.stdout, "wasm, portable kernels");
      assertStringIncludes(ending.stdout, "--resume run");
    }),
});

Deno.test({
  name: "a second Ctrl-C ends at once, unless it comes with the first",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const module = import.meta.resolve("../../cli/interruption.ts");
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `import { listenForInterruption } from "${module}";
        using _ = listenForInterruption(() => console.log("first"));
        console.log("ready");
        await new Promise((resolve) => setTimeout(resolve, 60_000));`,
      ],
      stdout: "piped",
    }).spawn();
    const output = child.stdout.pipeThrough(new TextDecoderStream());
    const reader = output.getReader();
    assertEquals((await reader.read()).value, "ready\n");
    child.kill("SIGINT");
    child.kill("SIGINT");
    assertEquals((await reader.read()).value, "first\n");
    // Later than the half second in which two count as one.
    await new Promise((resolve) => setTimeout(resolve, 700));
    child.kill("SIGINT");
    assertEquals((await reader.read()).done, true);
    assertEquals((await child.status).code, 130);
  },
});

Deno.test("a configuration file, the tokenizers and the default text", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/tiny.json`,
      JSON.stringify({
        "layers": 3,
        "dim": 16,
        "heads": 2,
        "seq": 8,
        "batch": 2,
        "steps": 2,
        "sample": 0,
        "threads": 1,
        "evaluation-batches": 1,
      }),
    );
    const cases = [
      ["--data", "small.txt", "--tokenizer", "character", "--untied"],
      ["--data", "small.txt", "--tokenizer", "bpe", "--vocabulary", "270"],
      [],
    ];
    const endings = await Promise.all(
      cases.map((args, i) =>
        run(folder, "train", [
          ...args,
          ..."--config tiny.json --layers 2".split(" "),
          ..."--json --device reference --out".split(" "),
          `run${i}`,
        ])
      ),
    );
    for (const { code, stdout, stderr } of endings) {
      assertEquals(code, 0, stderr);
      assertStringIncludes(stderr, "layers 1 + 2 + 1, width 16");
      assertEquals(JSON.parse(stdout).steps, 2);
    }
    assertStringIncludes(endings[0].stderr, "(character)");
    assertStringIncludes(endings[1].stderr, "(byte-pair)");
    assertStringIncludes(endings[2].stderr, "deno types");
    for (const name of ["safe", "resume"]) {
      await Deno.writeTextFile(`${folder}/wrong.json`, `{"${name}": true}`);
      const wrong = await run(folder, "train", ["--config", "wrong.json"]);
      assertEquals(wrong.code, 2);
      assertStringIncludes(wrong.stderr, `"${name}" can't stand in a file`);
    }
    const unknown = await run(folder, "generate", [
      ..."--from run0 --device reference --prompt Ü".split(" "),
    ]);
    assertEquals(unknown.code, 2);
    assertStringIncludes(unknown.stderr, "generate: --prompt: character");
  }));

Deno.test("mistakes exit 2 with one line on stderr, and leave nothing", () =>
  inFolder(async (folder) => {
    const cases: [task: string, args: string, line: string][] = [
      ["train", "--layres 3", "did you mean --layers?"],
      ["train", "--dim 30 --heads 4", "--dim 30 isn't a multiple of --heads 4"],
      ["train", "--data nosuch.txt", "nosuch.txt: no such file or folder"],
      ["train", "--data small.txt --seq 5000", "--seq 5000 is too long"],
      ["train", "--resume", "there is no run in runs/"],
      ["train", "--resume here", "--resume here: there is no such run"],
      ["train", "--resume . --out x", "--out x contradicts --resume"],
      ["train", "--config small.txt", "small.txt isn't JSON"],
      ["train", "--tokenizer bite --data small.txt", "did you mean byte?"],
      ["train", "--warmup 9 --steps 9", "--warmup 9 leaves nothing"],
      ["train", "--vocabulary 300", "is for --tokenizer bpe"],
      ["train", "--out small.txt", "small.txt is a file; name a folder"],
      ["train", "--out small.txt/x", "small.txt is a file; name a folder"],
      ["train", "--config .", "--config .: is a folder; name a JSON file"],
      [
        "train",
        "--tokenizer . --data small.txt",
        "no tokenizer in this folder",
      ],
      ["train", "--resume small.txt", "holds no checkpoint of a run"],
      [
        "train",
        "--device reference --threads 2 --data small.txt",
        'threads: 2 are given, but the device "reference" has one',
      ],
      [
        "train",
        "--device reference --precision f16 --data small.txt",
        "--precision f16: the device reference stores no numbers of 16 bits",
      ],
      ["generate", "--promt x", "did you mean --prompt?"],
      ["generate", "hello", 'unexpected argument "hello"'],
    ];
    for (const [task, args, line] of cases) {
      const { code, stdout, stderr } = await run(folder, task, args.split(" "));
      assertEquals([code, stdout], [2, ""], `${args}: ${stderr}`);
      assert(stderr.startsWith(`${task}: `), stderr);
      assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
      assertStringIncludes(stderr, line);
    }
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assertEquals(names, ["small.txt"]);
  }));

Deno.test("a failure on the way exits 1 with one line on stderr", () =>
  inFolder(async (folder) => {
    const { code, stderr } = await run(folder, "train", [
      ...tiny,
      ..."--steps 20 --warmup 0 --lr 1e30 --weight-decay 0 --json".split(" "),
    ]);
    assertEquals(code, 1, stderr);
    assertMatch(stderr.trimEnd().split("\n").at(-1)!, /^train: .*not finite/);
    assert(!stderr.includes("    at "), stderr);
  }));

Deno.test("--help lists the options on stdout", async () => {
  for (const task of ["train", "generate", "devices"]) {
    const { code, stdout, stderr } = await run(".", task, ["--help"]);
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, `Usage: deno task ${task} [options]`);
  }
});
