/**
 * A headless Chromium, driven through the DevTools protocol.
 *
 * The browser is `LAYERBRAID_CHROMIUM`, or the first of its usual names that is
 * on the path.
 *
 * @module
 */

import {
  connect,
  inTime,
  type Message,
  type Protocol,
} from "./devtools_protocol.ts";

const names = ["chromium", "chromium-browser", "google-chrome", "chrome"];

const options = [
  "--headless",
  "--no-sandbox",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-quic",
  "--disable-sync",
  "--remote-debugging-port=0",
  // WebGPU without a GPU, on the software adapter that the browser brings.
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
];

const named = Deno.env.get("LAYERBRAID_CHROMIUM");

/** The browser's program; undefined where there is none. */
export const chromium: string | undefined = named ?? names.find(starts);

if (named !== undefined && !starts(named)) {
  throw new Error(
    `LAYERBRAID_CHROMIUM: "${named}" doesn't start; name a Chromium, or unset ` +
      `the variable`,
  );
}

function starts(program: string): boolean {
  try {
    const args = ["--version"];
    return new Deno.Command(program, { args }).outputSync().success;
  } catch {
    return false;
  }
}

/** A page of the browser. */
export interface Page {
  /** The value of an expression, awaited if it is a promise. */
  readonly evaluate: (expression: string) => Promise<unknown>;
  /** What the page and its workers printed, and threw. */
  readonly messages: readonly string[];
}

/** A browser; it ends when it is disposed of. */
export interface Browser extends AsyncDisposable {
  /** Opens a page, and waits until it is loaded. */
  readonly open: (url: string) => Promise<Page>;
}

/** Starts a browser with a fresh profile. */
export async function openBrowser(): Promise<Browser> {
  if (chromium === undefined) throw new Error("there is no Chromium");
  await using cleanup = new AsyncDisposableStack();
  const profile = await Deno.makeTempDir({ prefix: "layerbraid_chromium_" });
  cleanup.defer(() => removeFolder(profile));
  const child = new Deno.Command(chromium, {
    args: [...options, `--user-data-dir=${profile}`, "about:blank"],
    env: { TMPDIR: profile },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  cleanup.defer(() => end(child));
  const protocol = await connect(await debuggerUrl(profile));
  cleanup.defer(async () => {
    await protocol.send("Browser.close");
    await inTime(Promise.all([child.status, protocol.closed]));
  });
  const owned = cleanup.move();
  return {
    open: (url) => openPage(protocol, url),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Ends a process, if it hasn't ended yet. */
async function end(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended.
  }
  await child.status;
}

/** Its helpers may still be writing when the browser has ended. */
async function removeFolder(path: string): Promise<void> {
  for (let attempt = 0;; attempt++) {
    try {
      return await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (attempt === 20) throw error;
      await pause(100);
    }
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Where the browser listens: it says so in a file of its profile. */
async function debuggerUrl(profile: string): Promise<string> {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      const text = await Deno.readTextFile(`${profile}/DevToolsActivePort`);
      const [port, path] = text.trim().split("\n");
      if (path !== undefined) return `ws://127.0.0.1:${port}${path}`;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await pause(100);
  }
  throw new Error(`${chromium} didn't start within 20 s`);
}

async function openPage(protocol: Protocol, url: string): Promise<Page> {
  const { targetId } = await protocol.send("Target.createTarget", {
    url: "about:blank",
  });
  const { sessionId } = await protocol.send("Target.attachToTarget", {
    targetId,
    flatten: true,
  });
  const send = (method: string, parameters?: Message): Promise<Message> =>
    protocol.send(method, parameters, sessionId);
  const messages: string[] = [];
  const loaded = Promise.withResolvers<void>();
  // What workers print and throw is in the page's log, too.
  protocol.listen((method, parameters, session) => {
    if (session !== sessionId) return;
    if (method === "Page.loadEventFired") loaded.resolve();
    const message = messageOf(method, parameters);
    if (message !== undefined) messages.push(message);
  });
  for (const domain of ["Page", "Runtime", "Log"]) {
    await send(`${domain}.enable`);
  }
  const { errorText } = await send("Page.navigate", { url });
  if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
  await inTime(loaded.promise);
  return {
    messages,
    evaluate: async (expression) => {
      try {
        const answer = send("Runtime.evaluate", {
          expression,
          awaitPromise: true,
          returnByValue: true,
        });
        const { result, exceptionDetails } = await inTime(answer);
        if (exceptionDetails === undefined) return result.value;
        throw new Error(textOf(exceptionDetails));
      } catch (error) {
        const { message } = error as Error;
        throw new Error([message, ...messages].join("\nThe page: "));
      }
    },
  };
}

/** What an event of the protocol tells a person. */
function messageOf(method: string, parameters: Message): string | undefined {
  switch (method) {
    case "Runtime.consoleAPICalled":
      return parameters.args
        .map(({ value, description }: Message) => value ?? description)
        .join(" ");
    case "Runtime.exceptionThrown":
      return textOf(parameters.exceptionDetails);
    case "Log.entryAdded":
      return [parameters.entry.text, parameters.entry.url].join(" ");
  }
}

function textOf({ text, exception }: Message): string {
  return exception?.description ?? `${text} ${exception?.value ?? ""}`;
}
