/** What runs in browsers asks for nothing that only Deno has. */

import { assertEquals } from "@std/assert";

const root = `${import.meta.dirname}/../..`;

/** Exported modules, which import our own files alone. */
const exported = ["tensor", "autograd", "mgrit", "models", "train", "data"];
/** Those of them that never ask for files, or for anything else of Deno. */
const standard = exported.slice(0, 4);

/** The modules of a folder, without comments. */
async function* modules(
  folder: string,
): AsyncGenerator<{ path: string; code: string }> {
  for await (const { name, isDirectory } of Deno.readDir(`${root}/${folder}`)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* modules(path);
    else if (name.endsWith(".ts")) {
      const source = await Deno.readTextFile(`${root}/${path}`);
      const code = source.replaceAll(/\/\*.*?\*\/|^\s*\/\/.*?$/gms, "");
      yield { path, code };
    }
  }
}

Deno.test("exported modules import our own files alone", async () => {
  const foreign: string[] = [];
  for (const folder of exported) {
    for await (const { path, code } of modules(folder)) {
      for (
        const [, specifier] of code.matchAll(
          /(?:\bfrom|^import|\bimport\()\s*"([^"]*)"/gm,
        )
      ) {
        if (!/^\.\.?\/.*\.ts$/.test(specifier)) {
          foreign.push(`${path}: ${specifier}`);
        }
      }
    }
  }
  assertEquals(foreign, []);
});

Deno.test("tensor, autograd, mgrit and models use Web standards alone", async () => {
  const uses: string[] = [];
  for (const folder of standard) {
    for await (const { path, code } of modules(folder)) {
      for (const [use] of code.matchAll(/(?<!["\w])(?:Deno|process)\.\w+/g)) {
        uses.push(`${path}: ${use}`);
      }
    }
  }
  assertEquals(uses, []);
});
