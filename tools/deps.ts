/**
 * Makes `@std/*` importable on machines that can't reach JSR.
 *
 * Where JSR answers, or its packages are cached, this does nothing. Elsewhere it
 * writes a `deno.json` into each folder of `npm_std/`, which makes the folder a
 * local stand-in for the JSR package it names: the root `deno.json` has
 * `"links": ["./tools/npm_std/*"]`. Delete those files to go back to JSR.
 *
 * @module
 */

/** The parts of @std in use: package, then export, then its stand-in's file. */
const std: Record<string, Record<string, string>> = {
  assert: { ".": "./mod.ts" },
  cli: { "./parse-args": "./parse_args.ts" },
};

/** How long a silent registry is waited for, in milliseconds. */
const patience = 20_000;

// Computed names, so that they are looked up here and not before the program
// starts, where a registry that never answers would hang it.
const imports = Object.entries(std).flatMap(([name, exports]) =>
  Object.keys(exports).map((path) => import(`@std/${name}${path.slice(1)}`))
);
try {
  await Promise.race([
    Promise.all(imports),
    new Promise((_, reject) => setTimeout(reject, patience)),
  ]);
} catch {
  for (const [name, exports] of Object.entries(std)) {
    await Deno.writeTextFile(
      new URL(`npm_std/${name}/deno.json`, import.meta.url),
      JSON.stringify({ name: `@std/${name}`, version: "1.0.0", exports }),
    );
  }
  console.error("JSR can't be reached: using npm's deno-std for @std/*.");
}
// Leaves without waiting for the timer, or for a server that is silent.
Deno.exit();
