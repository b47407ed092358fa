/**
 * What a file is, by the end of its name.
 *
 * @module
 */

const contentTypes: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json; charset=utf-8",
  md: "text/markdown; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  png: "image/png",
  svg: "image/svg+xml",
  // What is served is JavaScript: the types are gone.
  ts: "text/javascript; charset=utf-8",
  txt: "text/plain; charset=utf-8",
  wasm: "application/wasm",
};

/** The content type of a file; bytes without meaning where it isn't known. */
export function contentTypeOf(path: string): string {
  const ending = /\.([^./]+)$/.exec(path)?.[1] ?? "";
  return Object.hasOwn(contentTypes, ending)
    ? contentTypes[ending]
    : "application/octet-stream";
}
