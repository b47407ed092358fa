/**
 * `deno task serve`: the library in a browser, without a build.
 *
 * @module
 */

import { fileHandler } from "../web/mod.ts";
import { runCommand, UsageError } from "./failure.ts";
import { helpText } from "./help.ts";
import { listenForInterruption } from "./interruption.ts";
import { openOutput } from "./output.ts";
import { completeOptions, parseArguments } from "./parse.ts";
import { enterCallersFolder, exists } from "./path.ts";
import { serveCommand } from "./serve_command.ts";

async function main(args: readonly string[]): Promise<number> {
  const project = await Deno.realPath(new URL("..", import.meta.url));
  enterCallersFolder();
  const given = parseArguments(serveCommand, args);
  const { port, golden, help } = completeOptions(serveCommand, given);
  const output = openOutput("stdout");
  if (help) {
    output.write(`${helpText(serveCommand)}\n`);
    return 0;
  }
  if (golden !== undefined && !await exists(golden)) {
    throw new UsageError(`--golden ${golden}: there is no such folder`);
  }
  using interruption = listenForInterruption(() => {});
  await listen(port, interruption.signal, {
    "/": project,
    ...(golden === undefined ? {} : { "/golden/": golden }),
  }).finished;
  return 0;
}

function listen(
  port: number,
  signal: AbortSignal,
  folders: Readonly<Record<string, string>>,
): Deno.HttpServer {
  try {
    return Deno.serve({
      // Browsers give shared memory and WebGPU to https and to this machine.
      hostname: "127.0.0.1",
      port,
      signal,
      onListen: ({ port }) => {
        const url = `http://localhost:${port}/`;
        openOutput("stdout").write(`Serving ${url} — Ctrl-C ends it\n`);
      },
    }, fileHandler(folders, "/web/"));
  } catch (error) {
    const reason = error instanceof Deno.errors.AddrInUse
      ? "is taken"
      : error instanceof Deno.errors.PermissionDenied
      ? "isn't allowed"
      : undefined;
    if (reason === undefined) throw error;
    throw new Error(`port ${port} ${reason}; choose another with --port`);
  }
}

if (import.meta.main) await runCommand("serve", () => main(Deno.args));
