/**
 * Serves folders to a browser in the way that the library needs there: TypeScript
 * as JavaScript, and pages that may share memory with their workers. There is
 * no build: types are stripped from a module as it is served, so that line
 * numbers stay, and `new URL("./worker.ts", import.meta.url)` means the same
 * file as in Deno.
 *
 * @example
 * ```ts
 * import { fileHandler } from "./file_handler.ts";
 *
 * const handler = fileHandler({ "/": "." }, "/web/");
 * const response = await handler(new Request("http://localhost/mod.ts"));
 * console.log(response.headers.get("content-type")); // text/javascript; …
 * await response.body?.cancel();
 * ```
 *
 * @module
 */

import { stripTypeScriptTypes } from "node:module";
import { contentTypeOf } from "./content_type.ts";

/** Answers a request. */
export type Handler = (request: Request) => Promise<Response>;

const commonHeaders: Readonly<Record<string, string>> = {
  // A page has SharedArrayBuffer, and with it threads, only if it is isolated.
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  // Browsers ask each time, and get 304 where nothing changed.
  "cache-control": "no-cache",
  "x-content-type-options": "nosniff",
};

/**
 * A handler for the files of folders. Hidden files, and what lies outside of
 * the folders, isn't there for it.
 *
 * @param folders Folders by the beginning of the paths that they answer, such
 * as `/golden/`; the longest that fits counts.
 * @param home The path that `/` leads to.
 */
export function fileHandler(
  folders: Readonly<Record<string, string>>,
  home: string,
): Handler {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  return async (request) => {
    const { pathname } = new URL(request.url);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return plain(405, `${request.method} isn't possible here`, {
        allow: "GET, HEAD",
      });
    }
    if (pathname === "/") return redirect(home);
    const names = namesOf(pathname);
    if (names === undefined) return missing(pathname);
    const prefix = prefixes.find((prefix) => `/${names}`.startsWith(prefix));
    if (prefix === undefined) return missing(pathname);
    const file = /(^|\/)$/.test(names) ? `${names}index.html` : names;
    const path = `${folders[prefix]}/${file.slice(prefix.length - 1)}`;
    try {
      if (!await isInside(path, folders[prefix])) return missing(pathname);
      return await fileResponse(request, path);
    } catch (error) {
      if (isMissing(error)) return missing(pathname);
      throw error;
    }
  };
}

/** Names with slashes between them; undefined if one isn't a plain name. */
function namesOf(pathname: string): string | undefined {
  let names: string[];
  try {
    names = decodeURIComponent(pathname).split("/").slice(1);
  } catch {
    return undefined;
  }
  // Only after the last slash there may be nothing.
  const plain = names.every((name, i) =>
    /^(?!\.)[^\\\0:]*$/.test(name) && (name !== "" || i === names.length - 1)
  );
  return plain ? names.join("/") : undefined;
}

/** Whether a path leads to a place in a folder, by symbolic links or not. */
async function isInside(path: string, folder: string): Promise<boolean> {
  const separator = Deno.build.os === "windows" ? "\\" : "/";
  const [place, root] = await Promise.all([path, folder].map(Deno.realPath));
  return (place + separator).startsWith(root + separator);
}

async function fileResponse(request: Request, path: string): Promise<Response> {
  const { isDirectory, mtime, size } = await Deno.stat(path);
  if (isDirectory) return redirect(`${new URL(request.url).pathname}/`);
  const etag = `W/"${mtime?.getTime().toString(36)}-${size.toString(36)}"`;
  const headers = {
    ...commonHeaders,
    "content-type": contentTypeOf(path),
    ...(mtime === null ? {} : { etag }),
  };
  if (mtime !== null && request.headers.get("if-none-match") === etag) {
    return new Response(null, { status: 304, headers });
  }
  if (request.method === "HEAD") return new Response(null, { headers });
  if (path.endsWith(".ts")) return await scriptResponse(path, headers);
  return new Response((await Deno.open(path)).readable, {
    headers: { ...headers, "content-length": String(size) },
  });
}

async function scriptResponse(
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  const source = await Deno.readTextFile(path);
  return new Response(withoutTypes(path, source), { headers });
}

/** JavaScript that does the same; or throws, where there is none. */
function withoutTypes(path: string, source: string): string {
  try {
    return stripTypeScriptTypes(source);
  } catch (error) {
    // A script that isn't there would tell the browser neither where nor why.
    const reason = `${path}: ${(error as Error).message}`;
    return `throw new SyntaxError(${JSON.stringify(reason)});`;
  }
}

function redirect(location: string): Response {
  return plain(302, `See ${location}`, { location });
}

function missing(pathname: string): Response {
  return plain(404, `There is no ${pathname}`);
}

function plain(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(`${text}\n`, {
    status,
    headers: {
      ...commonHeaders,
      "content-type": "text/plain; charset=utf-8",
      ...headers,
    },
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.NotCapable;
}
