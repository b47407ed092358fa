/**
 * What a checkpoint says of its task.
 *
 * @module
 */

import type { ModelCheckpoint } from "./checkpoint.ts";
import { CheckpointError } from "./manifest.ts";

/**
 * The description of a checkpoint's task.
 *
 * @param name The task's.
 * @param noun What is trained in it, such as `a BERT`.
 * @param needed Parts, objects or lists, that a model can't be used without.
 * @throws {CheckpointError} If it is of another task, or lacks a part.
 */
export function taskDescription<D extends object>(
  { path, manifest: { task } }: ModelCheckpoint,
  name: string,
  noun: string,
  needed: readonly (keyof D & string)[],
): D {
  if (task.name !== name) {
    throw new CheckpointError(
      `${path}: is a checkpoint of the task "${task.name}", not of ${noun}`,
    );
  }
  const { description } = task;
  const missing = needed.filter((part) =>
    typeof description[part] !== "object" || description[part] === null
  );
  if (missing.length === 0) return description as unknown as D;
  throw new CheckpointError(
    `${path}/manifest.json: the task's description lacks ` +
      `${missing.join(" and ")}; use another checkpoint`,
  );
}
