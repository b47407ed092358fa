/** The task `serve` as a process. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { inFolder, run, start } from "./task_process.ts";

/** The address in the first line that a server prints. */
async function address(child: Deno.ChildProcess): Promise<string> {
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  await reader.cancel();
  const url = /http:\/\/localhost:\d+\//.exec(text)?.[0];
  assert(url !== undefined, text);
  return url.replace("localhost", "127.0.0.1");
}

Deno.test("serve: pages, modules and data, until Ctrl-C", () =>
  inFolder(async (folder) => {
    const args = ["--port", "0", "--golden", "."];
    await using child = await start(folder, "serve", args);
    const url = await address(child);
    const home = await fetch(url);
    assertStringIncludes(await home.text(), "Layerbraid");
    assertEquals(new URL(home.url).pathname, "/web/");
    const module = await (await fetch(`${url}tensor/shape.ts`)).text();
    assertStringIncludes(module, "export function formatShape(shape ");
    const data = await (await fetch(`${url}golden/small.txt`)).text();
    assertStringIncludes(data, "the cat sat on the mat");

    const port = new URL(url).port;
    const second = await run(folder, "serve", ["--port", port]);
    assertEquals(second.code, 1);
    assertEquals(
      second.stderr,
      `serve: port ${port} is taken; choose another with --port\n`,
    );

    child.kill("SIGINT");
    assertEquals((await child.status).code, 0);
    assertEquals(await new Response(child.stderr).text(), "");
  }));

Deno.test("serve: what can't be served is refused", () =>
  inFolder(async (folder) => {
    const cases: [string[], string][] = [
      [
        ["--port", "70000"],
        "--port 70000: expected an integer from 0 to 65535",
      ],
      [["--port", "http"], "--port http: expected an integer from 0 to 65535"],
      [["--golden", "nothing"], "--golden nothing: there is no such folder"],
      [["small.txt"], 'unexpected argument "small.txt"'],
    ];
    for (const [args, message] of cases) {
      const { code, stderr, stdout } = await run(folder, "serve", args);
      assertEquals(code, 2, args.join(" "));
      assertEquals(stderr.trimEnd().split("\n").length, 1);
      assertStringIncludes(stderr, `serve: ${message}`);
      assertEquals(stdout, "");
    }
  }));
