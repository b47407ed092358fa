/**
 * A model some of whose parameters stay as they are.
 *
 * @module
 */

import { namedLeaves, Tensor, type Tree } from "../tensor/internal.ts";
import type { NamePredicate } from "./optimizer_options.ts";
import type { TrainingTask } from "./task.ts";

/**
 * A model's parameters without those that are frozen: in their place there is
 * nothing, and what is trained has the path that it has in the model.
 */
export function trainedPart<P extends Tree>(
  parameters: P,
  frozen: NamePredicate | undefined,
): P {
  if (frozen === undefined) return parameters;
  const visit = (node: Tree, path: string): Tree | undefined => {
    if (node instanceof Tensor) return frozen(path) ? undefined : node;
    const kept: Record<string, Tree> = {};
    for (const [name, child] of Object.entries(node)) {
      const part = visit(child, path === "" ? name : `${path}.${name}`);
      if (part !== undefined) kept[name] = part;
    }
    return kept;
  };
  return (visit(parameters, "") ?? {}) as P;
}

/** The model's parameters with those of a trained part in place of their own. */
export function withTrainedPart<P extends Tree>(
  parameters: P,
  part: P,
  frozen: NamePredicate | undefined,
): P {
  if (frozen === undefined) return part;
  const trained = new Map(namedLeaves(part));
  const visit = (node: Tree, path: string): Tree => {
    if (node instanceof Tensor) return trained.get(path) ?? node;
    const children = Object.entries(node).map(([name, child]) =>
      [name, visit(child, path === "" ? name : `${path}.${name}`)] as const
    );
    return Array.isArray(node)
      ? children.map(([, child]) => child)
      : Object.fromEntries(children);
  };
  return visit(parameters, "") as P;
}

/** The same task as a function of the trained part alone. */
export function trainedTask<P extends Tree>(
  task: TrainingTask<P>,
  parameters: P,
  frozen: NamePredicate | undefined,
): TrainingTask<P> {
  return frozen === undefined ? task : {
    ...task,
    loss: (part, ...batch) =>
      task.loss(withTrainedPart(parameters, part, frozen), ...batch),
  };
}
