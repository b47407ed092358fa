/**
 * Parameters that are to stay as they are.
 *
 * @module
 */

import { dispose, namedLeaves, type Tree } from "../tensor/internal.ts";
import { UsageError } from "./failure.ts";
import { nearest } from "./suggestion.ts";

/**
 * Whether a parameter is frozen by one of the names: its own, or that of the
 * part that it is in, such as `block` or `block.mlpInput`.
 *
 * @param initialize Makes parameters of the kind, for their names.
 * @throws {UsageError} If a name means nothing.
 */
export function frozenBy(
  names: readonly string[],
  initialize: () => Tree,
): ((name: string) => boolean) | undefined {
  if (names.length === 0) return undefined;
  const parameters = initialize();
  const all = namedLeaves(parameters).map(([name]) => name);
  dispose(parameters);
  const isIn = (part: string, name: string): boolean =>
    name === part || name.startsWith(`${part}.`);
  for (const part of names) {
    if (all.some((name) => isIn(part, name))) continue;
    const parts = new Set(all.flatMap(prefixes));
    const hint = nearest(part, [...parts]);
    throw new UsageError(
      `--freeze ${part}: the model has no such parameters; ` +
        (hint === undefined
          ? `it has ${
            [...new Set(all.map((name) => name.split(".")[0]))].join(", ")
          }`
          : `did you mean ${hint}?`),
    );
  }
  if (all.every((name) => names.some((part) => isIn(part, name)))) {
    throw new UsageError(
      `--freeze ${names.join(", ")}: leaves nothing to train`,
    );
  }
  return (name) => names.some((part) => isIn(part, name));
}

/** `a.b.c` as `a`, `a.b` and `a.b.c`. */
function prefixes(name: string): string[] {
  const parts = name.split(".");
  return parts.map((_, i) => parts.slice(0, i + 1).join("."));
}
