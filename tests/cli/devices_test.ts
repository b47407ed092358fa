/** What commands say of devices: which there are, and what became of them. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import type { DeviceList } from "../../cli/devices.ts";
import type { Output } from "../../cli/output.ts";
import { taskKind } from "../../cli/tasks/mod.ts";
import { readTrainRequest } from "../../cli/train_request.ts";
import { trainAndTell } from "../../cli/training_session.ts";
import {
  type Device,
  device,
  DeviceError,
  setDefaultDevice,
} from "../../tensor/mod.ts";
import { loadCheckpoint } from "../../train/mod.ts";
import { backgroundDevice } from "../train/background_device.ts";
import { inFolder, run, tiny } from "./task_process.ts";

/** Makes Deno look for adapters where this system has none. */
const noAdapter = {
  DENO_WEBGPU_BACKEND: Deno.build.os === "darwin" ? "dx12" : "metal",
};

Deno.test("devices: without an adapter, auto is wasm", () =>
  inFolder(async (folder) => {
    const { code, stdout } = await run(folder, "devices", [], noAdapter);
    assertEquals(code, 0);
    assertStringIncludes(stdout, "webgpu     no graphics adapter\n");
    assertStringIncludes(stdout, "wasm, for there is no graphics adapter");
  }));

Deno.test("devices: --json says the same", () =>
  inFolder(async (folder) => {
    const { code, stdout } = await run(folder, "devices", ["--json"]);
    assertEquals(code, 0);
    const { wasm, adapters, auto }: DeviceList = JSON.parse(stdout);
    assert(wasm.threads >= 1);
    const isReal = adapters.some(({ software }) => !software);
    assertEquals(auto, isReal ? "webgpu" : "wasm");
  }));

Deno.test("train: webgpu without an adapter is refused, and nothing is begun", () =>
  inFolder(async (folder) => {
    const { code, stdout, stderr } = await run(
      folder,
      "train",
      [
        ..."--layers 1 --dim 16 --heads 2 --seq 16 --data small.txt".split(" "),
        ..."--device webgpu --out run".split(" "),
      ],
      noAdapter,
    );
    assertEquals([code, stdout], [1, ""]);
    const [line, ...rest] = stderr.trimEnd().split("\n").slice(-1);
    assertEquals(rest, []);
    assertStringIncludes(
      line,
      'train: device "webgpu": there is no graphics adapter',
    );
    assertStringIncludes(line, 'choose the device "wasm"');
    assertEquals(
      (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name),
      ["small.txt"],
    );
  }));

/** Trains as the command does, on a device of the test's own. */
async function trainOn(
  device: Device,
  args: readonly string[],
): Promise<string> {
  let written = "";
  const output: Output = {
    write: (text) => {
      written += text;
    },
    columns: undefined,
    colours: false,
    isClosed: () => false,
  };
  const request = await readTrainRequest(args);
  using prepared = await taskKind().prepare(request.values);
  setDefaultDevice(device);
  await trainAndTell(request, prepared, device, output);
  return written;
}

Deno.test("train: a device that is lost leaves a run that goes on elsewhere", () =>
  inFolder(async (folder) => {
    const out = `${folder}/run`;
    const small = tiny.filter((word) => word !== "small.txt");
    const options = [
      ...small,
      `${folder}/small.txt`,
      ..."--steps 40 --save-every 10 --evaluate-every 100 --out".split(" "),
      out,
    ];
    const lost = new DeviceError("lost", "webgpu: the device was lost; sorry");
    const late = await backgroundDevice();
    late.breakWith(lost, 5);
    const error = await assertRejects(
      () => trainOn(late.device, options),
      DeviceError,
    );
    const { step } = (await loadCheckpoint(out)).manifest.progress;
    assertEquals(
      error.message,
      `webgpu: the device was lost; sorry: step ${step} is saved, and ` +
        `deno task train --resume ${out} --device wasm goes on`,
    );
    assertEquals([error.kind, step], ["lost", 10]);
    const wasm = await device("wasm", { threads: 1 });
    const written = await trainOn(wasm, ["--resume", out, "--device", "wasm"]);
    assertStringIncludes(written, `from step ${step} on`);

    // The same model as on one device, which the other imitates bit for bit.
    await trainOn(wasm, [...options.slice(0, -1), `${out}2`]);
    const files = await Promise.all(
      [out, `${out}2`].map(async (run) =>
        (await loadCheckpoint(run)).manifest.files
      ),
    );
    assertEquals(files[0], files[1]);
    wasm.close();

    const early = await backgroundDevice();
    early.breakWith(lost);
    await assertRejects(
      () => trainOn(early.device, [...options.slice(0, -1), `${out}3`]),
      DeviceError,
      "nothing was saved yet; begin again, with --device wasm",
    );
  }));
