import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileHandler, type Handler } from "../../web/mod.ts";

/** A project and data beside it, and a secret that neither leads to. */
async function inFolders(
  test: (handler: Handler, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "layerbraid_" });
  try {
    const files = {
      "secret.txt": "secret",
      "project/page/index.html": "<p>page</p>",
      "project/module.ts": "export const a: number = 1;\nexport const b = 2;\n",
      "project/broken.ts": "export enum Colour { red }\n",
      "project/.hidden/config": "secret",
      "project/.hidden.txt": "secret",
      "project/ä ö.txt": "umlauts",
      "project/data/shadowed.txt": "shadowed",
      "data/numbers.safetensors": "numbers",
    };
    for (const [name, text] of Object.entries(files)) {
      const path = `${folder}/${name}`;
      await Deno.mkdir(path.replace(/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(path, text);
    }
    const folders = { "/": `${folder}/project`, "/data/": `${folder}/data` };
    await test(fileHandler(folders, "/page/"), folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function ask(
  handler: Handler,
  path: string,
  options?: RequestInit,
): Promise<Response> {
  return handler(new Request(`http://localhost${path}`, options));
}

Deno.test("a module is served without its types, lines where they were", () =>
  inFolders(async (handler) => {
    const response = await ask(handler, "/module.ts");
    assertEquals(response.status, 200);
    const type = response.headers.get("content-type")!;
    assertStringIncludes(type, "text/javascript");
    const script = await response.text();
    const { a, b } = await import(`data:text/javascript,${encodeURI(script)}`);
    assertEquals([a, b], [1, 2]);
    assertEquals(script.split("\n")[1], "export const b = 2;");
  }));

Deno.test("a module that can't be stripped throws what is wrong with it", () =>
  inFolders(async (handler) => {
    const script = await (await ask(handler, "/broken.ts")).text();
    const error = await import(`data:text/javascript,${encodeURI(script)}`)
      .catch((error) => error);
    assert(error instanceof SyntaxError);
    assertStringIncludes(error.message, "broken.ts: ");
    assertStringIncludes(error.message, "enum");
  }));

Deno.test("folders, pages and data have their places", () =>
  inFolders(async (handler) => {
    const texts: [string, string][] = [
      ["/page/", "<p>page</p>"],
      ["/page/index.html", "<p>page</p>"],
      ["/data/numbers.safetensors", "numbers"],
      ["/%C3%A4%20%C3%B6.txt", "umlauts"],
    ];
    for (const [path, text] of texts) {
      const response = await ask(handler, path);
      assertEquals(response.status, 200, path);
      assertEquals(await response.text(), text);
    }
    for (const [path, location] of [["/", "/page/"], ["/page", "/page/"]]) {
      const response = await ask(handler, path);
      assertEquals(response.status, 302);
      assertEquals(response.headers.get("location"), location);
    }
    const types: [string, string][] = [
      ["/page/", "text/html; charset=utf-8"],
      ["/data/numbers.safetensors", "application/octet-stream"],
    ];
    for (const [path, type] of types) {
      const response = await ask(handler, path, { method: "HEAD" });
      assertEquals(response.headers.get("content-type"), type);
      assertEquals(response.body, null);
    }
  }));

Deno.test("nothing outside of the folders is served, nor what is hidden", () =>
  inFolders(async (handler, folder) => {
    await Deno.mkdir(`${folder}/project/linked`);
    for (const link of ["link.txt", "linked/index.html"]) {
      await Deno.symlink(`${folder}/secret.txt`, `${folder}/project/${link}`);
    }
    const paths = [
      "/nothing.txt",
      "/page/nothing.txt",
      "/module.ts/",
      "/data/shadowed.txt",
      "/../secret.txt",
      "/%2e%2e/secret.txt",
      "/page/..%2f..%2fsecret.txt",
      "/..%5csecret.txt",
      "//page",
      "/page//index.html",
      "/page/%00",
      "/%",
      "/link.txt",
      "/linked/",
      "/.hidden.txt",
      "/.hidden/config",
      "/data/",
    ];
    for (const path of paths) {
      const response = await ask(handler, path);
      assertEquals(response.status, 404, path);
      assertStringIncludes(await response.text(), "There is no /");
    }
    const response = await ask(handler, "/module.ts", { method: "POST" });
    assertEquals(response.status, 405);
  }));

Deno.test("every response isolates the page", () =>
  inFolders(async (handler) => {
    for (const path of ["/", "/page/", "/module.ts", "/nothing"]) {
      const response = await ask(handler, path);
      const { headers } = response;
      await response.body?.cancel();
      const header = (name: string) => headers.get(`cross-origin-${name}`);
      assertEquals(header("opener-policy"), "same-origin", path);
      assertEquals(header("embedder-policy"), "require-corp", path);
      assertEquals(header("resource-policy"), "same-origin", path);
    }
  }));

Deno.test("what didn't change isn't sent again", () =>
  inFolders(async (handler, folder) => {
    const first = await ask(handler, "/module.ts");
    await first.body?.cancel();
    assertEquals(first.headers.get("cache-control"), "no-cache");
    const headers = { "if-none-match": first.headers.get("etag")! };
    assertEquals((await ask(handler, "/module.ts", { headers })).status, 304);
    await Deno.writeTextFile(`${folder}/project/module.ts`, "export {};");
    const changed = await ask(handler, "/module.ts", { headers });
    assertEquals(changed.status, 200);
    assertEquals(await changed.text(), "export {};");
  }));
