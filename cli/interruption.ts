/**
 * Ctrl-C, and other requests to end: the first one asks, the second insists.
 *
 * @module
 */

const signals: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

// A terminal sends Ctrl-C to every program in the foreground, and some pass it
// on to those that they started: what arrives together is one.
const togetherMilliseconds = 500;

/** Exit code of a program that was interrupted: 128 + SIGINT. */
const interruptedExitCode = 130;

/** The wish to stop. */
export interface Interruption extends Disposable {
  /** Aborted by the first Ctrl-C, or request to end. */
  readonly signal: AbortSignal;
}

/**
 * Listens for Ctrl-C and requests to end, until it is disposed of. A second
 * one ends the process at once.
 *
 * @param notice Called at the first one.
 */
export function listenForInterruption(notice: () => void): Interruption {
  const controller = new AbortController();
  let first = 0;
  const handle = (): void => {
    if (!controller.signal.aborted) {
      first = Date.now();
      controller.abort();
      notice();
    } else if (Date.now() - first > togetherMilliseconds) {
      Deno.exit(interruptedExitCode);
    }
  };
  for (const signal of signals) Deno.addSignalListener(signal, handle);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const signal of signals) Deno.removeSignalListener(signal, handle);
    },
  };
}

/**
 * Runs a program in the place of this one: with the same input and output, and
 * every request to end passed on. Returns its exit code.
 */
export async function runInstead(
  program: string,
  args: readonly string[],
): Promise<number> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const handlers = signals.map((signal) => {
    const handle = (): void => {
      try {
        child.kill(signal);
      } catch {
        // It has ended already.
      }
    };
    Deno.addSignalListener(signal, handle);
    return { signal, handle };
  });
  const { code } = await child.status;
  for (const { signal, handle } of handlers) {
    Deno.removeSignalListener(signal, handle);
  }
  return code;
}
