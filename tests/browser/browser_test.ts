/** The library in a page: golden sets, threads and training in Web Workers. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { device } from "../../tensor/mod.ts";
import { fileHandler } from "../../web/mod.ts";
import type { GoldenReport } from "../golden_case.ts";
import { deviation, goldenFolder, goldenMissing } from "../golden.ts";
import { chromium, openBrowser, type Page } from "./chromium.ts";
import { deviceSets, plainSets, workgroupForms } from "../golden_sets.ts";
import { trainingLosses } from "./training.ts";
import type { WorkRequest } from "./work.ts";

const root = `${import.meta.dirname}/../..`;

/** Opens a page, served from here. */
async function inPage(
  path: string,
  body: (page: Page) => Promise<void>,
): Promise<void> {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    fileHandler({ "/": root, "/golden/": goldenFolder }, "/web/"),
  );
  await using browser = await openBrowser();
  await body(
    await browser.open(`http://127.0.0.1:${server.addr.port}/${path}`),
  );
}

/** The texts of the elements of a kind, once there are so many. */
async function texts(
  page: Page,
  selector: string,
  count: number,
): Promise<string[]> {
  return await page.evaluate(`new Promise((resolve) => {
    const timer = setInterval(() => {
      const elements = [...document.querySelectorAll("${selector}")];
      if (elements.length < ${count}) return;
      clearInterval(timer);
      resolve(elements.map((element) => element.textContent));
    }, 50);
  })`) as string[];
}

async function runInWorker(page: Page, request: WorkRequest): Promise<unknown> {
  return await page.evaluate(
    `import("/tests/browser/work.ts")
      .then(({ runInWorker }) => runInWorker(${JSON.stringify(request)}))`,
  );
}

async function assertGolden(page: Page, request: WorkRequest): Promise<void> {
  const { cases, failures } = await runInWorker(page, request) as GoldenReport;
  assert(cases > 0, "there are no cases");
  assert(
    failures.length === 0,
    `${failures.length} of ${cases} cases fail\n${failures.join("\n")}`,
  );
}

Deno.test({
  name: "browser: all modules load in an isolated page",
  ignore: chromium === undefined,
  fn: () =>
    inPage("tests/browser/", async (page) => {
      assertEquals(await page.evaluate("crossOriginIsolated"), true);
      const names = await page.evaluate('import("/mod.ts").then(Object.keys)');
      assertEquals(names, Object.keys(await import("../../mod.ts")));
      assertEquals(page.messages, []);
    }),
});

Deno.test({
  name: "browser: the start page tells the devices",
  ignore: chromium === undefined,
  fn: () =>
    inPage("web/", async (page) => {
      const devices = await texts(page, "dd", 2);
      assertMatch(devices[0], /^\d+ threads?$/);
      assertMatch(devices[1], /swiftshader.* \(in software\)$/i);
      assertEquals(page.messages, []);
    }),
});

Deno.test({
  name: "browser: the example trains",
  ignore: chromium === undefined,
  fn: () =>
    inPage("examples/browser/", async (page) => {
      const losses = (await texts(page, "li", 20)).map(Number);
      assertEquals(losses.length, 20);
      assert(losses[19] < losses[0] / 2, losses.join(" "));
      assertEquals(page.messages, []);
    }),
});

/** Losses of 50 steps in the page and here, on wasm. */
async function assertTraining(
  page: Page,
  name: WorkRequest["device"],
): Promise<void> {
  const request = { device: name, work: "training" };
  const theirs = await runInWorker(page, request) as number[];
  const here = await device("wasm", { threads: 1 });
  const ours = await trainingLosses();
  here.close();
  assert(ours[49] < ours[0] - 1, "it doesn't learn");
  // Devices and engines round differently, by 1e-7 in f32, and each step goes
  // on from the one before.
  const off = deviation(theirs, ours, 1e-5, 0);
  assert(off <= 1, `${theirs} instead of ${ours}`);
}

for (const name of ["wasm", "webgpu"] as const) {
  Deno.test({
    name: `browser: 50 training steps on ${name} in a Web Worker`,
    ignore: chromium === undefined,
    fn: () =>
      inPage("tests/browser/", async (page) => {
        await assertTraining(page, name);
        assertEquals(page.messages, []);
      }),
  });
}

/** Tests golden sets in the page, each in a worker of its own. */
function testGolden(
  name: string,
  requests: readonly WorkRequest[],
  rare: boolean,
): void {
  Deno.test({
    name: `slow: browser: golden data on ${name}, in a Web Worker`,
    ignore: chromium === undefined || goldenMissing ||
      rare && !Deno.env.has("LAYERBRAID_SLOW"),
    fn: (t) =>
      inPage("tests/browser/", async (page) => {
        for (const request of requests) {
          await t.step(request.work, () => assertGolden(page, request));
        }
        assertEquals(page.messages, []);
      }),
  });
}

const wasmSets = Object.keys({ ...plainSets, ...deviceSets });
testGolden("wasm", wasmSets.map((work) => ({ device: "wasm", work })), false);

// Most of a minute each, in software
const webgpuSets = Object.keys(deviceSets);
testGolden(
  "webgpu",
  webgpuSets.map((work) => ({ device: "webgpu", work })),
  true,
);
testGolden("webgpu in workgroups", [
  { device: "webgpu", gpu: workgroupForms, work: "GPT-2" },
  // Chromium's adapter in software has subgroups.
  {
    device: "webgpu",
    gpu: { ...workgroupForms, matmul: "subgroup" },
    work: "operations",
  },
], true);

Deno.test({
  name: "browser: wasm has threads",
  ignore: chromium === undefined,
  fn: () =>
    inPage("tests/browser/", async (page) => {
      const request = { device: "wasm", work: "threads" } as const;
      assertEquals(await runInWorker(page, request), 2);
      assertEquals(page.messages, []);
    }),
});
