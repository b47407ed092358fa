/**
 * The text of `--help`, made from a command's table of options.
 *
 * @module
 */

import { flagName, type Option, type OptionTable } from "./option.ts";
import type { Command } from "./parse.ts";

const width = 80;

/** What `--help` prints. */
export function helpText<Table extends OptionTable>(
  command: Command<Table>,
): string {
  const entries = Object.entries(command.options);
  const labels = entries.map(([name, option]) => label(name, option));
  const column = 2 + 2 +
    Math.max(...labels.map((text) => text.length).filter((n) => n <= 24));
  const sections = Map.groupBy(
    entries.map(([, option], i) => ({ option, label: labels[i] })),
    ({ option }) => option.section,
  );
  const lines = [
    ...wrap(command.summary, width),
    "",
    `Usage: deno task ${command.name} [options]`,
  ];
  for (const [heading, options] of sections) {
    lines.push("", `${heading}:`);
    for (const { option, label } of options) {
      const text = wrap(describe(option), width - column);
      const first = `  ${label}`;
      const indent = " ".repeat(column);
      if (first.length > column - 2) lines.push(first);
      else lines.push(first.padEnd(column) + text.shift());
      lines.push(...text.map((line) => indent + line));
    }
  }
  lines.push("", "Examples:");
  for (const [call, does] of command.examples) {
    lines.push(`  ${call}`, `      ${does}`);
  }
  return lines.join("\n");
}

function label(name: string, { placeholder }: Option<unknown>): string {
  const value = placeholder === undefined ? "" : ` ${placeholder}`;
  return `--${flagName(name)}${value}`;
}

/** Purpose, range and default of an option. */
function describe(option: Option<unknown>): string {
  const { help, range, defaultText } = option;
  const notes = [
    range,
    defaultText === undefined ? undefined : `default: ${defaultText}`,
  ].filter((note) => note !== undefined);
  return notes.length === 0 ? help : `${help} (${notes.join("; ")})`;
}

/** A text in lines that are at most `width` long where words allow it. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
