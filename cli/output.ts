/**
 * What a command prints, and where.
 *
 * @module
 */

/** Where a command writes to. */
export interface Output {
  /** Writes a text as it is; nothing, once nobody is there to read it. */
  readonly write: (text: string) => void;
  /** Whether nobody is there to read any more. */
  readonly isClosed: () => boolean;
  /** Columns of the terminal; `undefined` where it isn't one. */
  readonly columns: (() => number) | undefined;
  /** Whether to use colours. */
  readonly colours: boolean;
}

/** Standard output or standard error. */
export function openOutput(name: "stdout" | "stderr"): Output {
  const stream = Deno[name];
  const isTerminal = stream.isTerminal();
  const encoder = new TextEncoder();
  let isClosed = false;
  return {
    write: (text) => {
      let bytes = isClosed ? new Uint8Array() : encoder.encode(text);
      try {
        while (bytes.length > 0) {
          bytes = bytes.subarray(stream.writeSync(bytes));
        }
      } catch (error) {
        // A pipe's reader has ended, or a terminal's window was closed.
        isClosed = isTerminal || error instanceof Deno.errors.BrokenPipe;
        if (!isClosed) throw error;
      }
    },
    isClosed: () => isClosed,
    columns: isTerminal ? terminalColumns : undefined,
    colours: isTerminal && !Deno.noColor,
  };
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    // Its window was closed.
    return 80;
  }
}

/** A text in bold print, where there are colours. */
export function bold({ colours }: Output, text: string): string {
  return colours ? `\x1b[1m${text}\x1b[22m` : text;
}

/** A text in faint print, where there are colours. */
export function faint({ colours }: Output, text: string): string {
  return colours ? `\x1b[2m${text}\x1b[22m` : text;
}

/** A text without the control characters that could confuse a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/(?![\n\t])\p{Cc}/gu, "\uFFFD");
}
