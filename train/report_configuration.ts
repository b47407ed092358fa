/**
 * The options of a run as a table.
 *
 * @module
 */

import { escapeHtml } from "./report_format.ts";

/** A line of the configuration table. */
export interface ConfigurationRow {
  /** The heading it stands under. */
  readonly section: string;
  /** What is set. */
  readonly name: string;
  /** What to. */
  readonly value: string;
  /** What it means. */
  readonly help: string;
  /** Whether it is something else than the default. */
  readonly changed: boolean;
}

/** The options of a run by section, with a heading; nothing if there are none. */
export function configurationTable(
  configuration: readonly ConfigurationRow[],
): string {
  if (configuration.length === 0) return "";
  const sections = Map.groupBy(configuration, ({ section }) => section);
  const bodies = [...sections].map(([heading, rows]) =>
    `<tbody><tr><th scope="rowgroup" colspan="3">${
      escapeHtml(heading)
    }</th></tr>${
      rows.map(({ name, value, help, changed }) =>
        `<tr><th scope="row"><code>${escapeHtml(name)}</code></th><td${
          changed ? ' class="changed"' : ""
        }>${escapeHtml(value)}</td><td class="help">${
          escapeHtml(help)
        }</td></tr>`
      ).join("")
    }</tbody>`
  );
  return `<h2>Configuration</h2>
<p>Bold: set to something else than the default.</p>
<table>${bodies.join("")}</table>`;
}
