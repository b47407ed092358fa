/**
 * What a kernel family prepares for each elementwise program.
 *
 * @module
 */

import type { Elementwise } from "./expression.ts";

/**
 * Remembers what `planOf` makes of programs; those that compute the same share
 * a plan.
 */
export function createPlanCache<Plan>(
  planOf: (program: Elementwise) => Plan,
): (program: Elementwise) => Plan {
  // Looking a program up by identity is cheaper than by its long key.
  const plans = new WeakMap<Elementwise, Plan>();
  const plansByKey = new Map<string, Plan>();
  return (program) => {
    let plan = plans.get(program);
    if (plan === undefined) {
      plan = plansByKey.get(program.key) ?? planOf(program);
      plansByKey.set(program.key, plan);
      plans.set(program, plan);
    }
    return plan;
  };
}
