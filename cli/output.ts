/**
 * What a command prints, and where.
 *
 * @module
 */

/** Where a command writes to. */
export interface Output {
  /** Writes a text as it is. */
  readonly write: (text: string) => void;
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
  return {
    write: (text) => {
      let bytes = encoder.encode(text);
      while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
    },
    columns: isTerminal ? () => Deno.consoleSize().columns : undefined,
    colours: isTerminal && !Deno.noColor,
  };
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
