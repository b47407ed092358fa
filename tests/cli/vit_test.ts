/** `train --task vit` and `evaluate` as programs, on images in files. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { vitKind } from "../../cli/tasks/vit.ts";
import { completeValues } from "../../cli/train_request.ts";
import { CorpusError, drawnDigits } from "../../data/mod.ts";
import { inFolder, run } from "./task_process.ts";

/** Digits as IDX files, of MNIST's names. */
async function writeDigits(folder: string, count: number): Promise<void> {
  const { pixels, labels } = drawnDigits({ count });
  const write = async (
    name: string,
    shape: readonly number[],
    data: ArrayLike<number>,
  ) => {
    const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
    bytes.set([0, 0, 8, shape.length]);
    const view = new DataView(bytes.buffer);
    shape.forEach((length, axis) => view.setUint32(4 + 4 * axis, length));
    bytes.set(data, 4 + 4 * shape.length);
    await Deno.writeFile(`${folder}/${name}`, bytes);
  };
  await Deno.mkdir(folder, { recursive: true });
  await write("train-images-idx3-ubyte", [count, 28, 28], pixels);
  await write("train-labels-idx1-ubyte", [count], labels);
}

const tiny = [
  ..."--task vit --layers 8 --before 0 --after 0 --dim 16 --heads 2".split(" "),
  ..."--patch 14 --batch 8 --threads 1 --validation 0.2".split(" "),
];

Deno.test("a ViT is trained on IDX files, and evaluated", () =>
  inFolder(async (folder) => {
    await writeDigits(`${folder}/digits`, 100);
    const { code, stdout, stderr } = await run(folder, "train", [
      ...tiny,
      ..."--data digits --steps 10 --evaluate-every 10 --json".split(" "),
      ..."--out trained".split(" "),
    ]);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, "80 images to train on and 20 images to meas");
    assertStringIncludes(stderr, "patches of 14 × 14");
    assert(JSON.parse(stdout).valLoss < 3, stdout);
    const evaluated = await run(folder, "evaluate", [
      ..."--from trained --threads 1 --json".split(" "),
    ]);
    assertEquals(evaluated.code, 0, evaluated.stderr);
    const { examples, metrics, confusion } = JSON.parse(evaluated.stdout);
    assertEquals(examples, 20);
    assert(metrics.accuracy >= 0 && metrics.accuracy <= 1);
    assertEquals(confusion.classes.length, 10);
  }));

Deno.test("a run that goes on keeps its classes and the scale of pixels", () =>
  inFolder(async (folder) => {
    await writeDigits(`${folder}/digits`, 100);
    const values = completeValues({
      task: "vit",
      data: [`${folder}/digits`],
      patch: 14,
      layers: 1,
    });
    const scale = { mean: [1], deviation: [2] };
    const classes = [..."0123456789", "more"];
    using prepared = await vitKind.prepare(values, { scale, classes });
    const { description } = prepared.task;
    assertEquals([description.scale, description.classes], [scale, classes]);
    await assertRejects(
      () => vitKind.prepare(values, { scale, classes: ["zero", "one"] }),
      CorpusError,
      'class 0 is "0"; expected "zero", as in the run',
    );
  }));

Deno.test("mistakes about images: exit code 2, and no run", () =>
  inFolder(async (folder) => {
    await writeDigits(`${folder}/digits`, 10);
    await writeDigits(`${folder}/cut`, 10);
    await Deno.truncate(`${folder}/cut/train-images-idx3-ubyte`, 1000);
    await Deno.mkdir(`${folder}/nothing`);
    const cases: readonly (readonly [string, string])[] = [
      ["--data digits --patch 5", "--patch 5 doesn't divide images of 28 × 28"],
      ["--data digits --validation 0.01", "leaves none to measure on"],
      ["--data cut", "984 bytes after the header; expected 10 × 28 × 28"],
      ["--data nothing", "nothing: the folder holds no files"],
    ];
    await Promise.all(cases.map(async ([given, message]) => {
      const { code, stderr } = await run(folder, "train", [
        ...tiny,
        ...given.split(" "),
      ]);
      assertEquals(code, 2, stderr);
      assertStringIncludes(stderr, message);
    }));
    const entries = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assertEquals(entries.sort(), ["cut", "digits", "nothing", "small.txt"]);
  }));
