/**
 * Elementary functions in WGSL, for one f32 and for four at a time.
 *
 * The built-in ones may be off by thousands of units in the last place, above
 * all on software adapters; these are right to a few, on every adapter, infinite
 * and undefined results included.
 *
 * @example
 * ```ts
 * import { wgslFunctions } from "./scalar_functions.ts";
 *
 * const text = wgslFunctions(["accurate_sigmoid4"]);
 * console.log(text.includes("fn accurate_exp4(x: vec4<f32>)")); // true
 * ```
 *
 * @module
 */

import { functionTemplates } from "./function_templates.ts";

type FunctionName = keyof typeof functionTemplates;

/** Functions that come for one number (`NAME`) and for four (`NAME4`). */
export type LaneFunction =
  | "is_nan"
  | "larger"
  | "smaller"
  | "sign_of"
  | "to_int"
  | "accurate_exp"
  | "accurate_expm1"
  | "accurate_log"
  | "accurate_log1p"
  | "accurate_rsqrt"
  | "accurate_tanh"
  | "accurate_erf"
  | "accurate_sigmoid"
  | "accurate_softplus"
  | "accurate_sin"
  | "accurate_cos"
  | "accurate_pow";

/**
 * A function of the library: `NAME` takes and gives f32, `NAME4` vec4<f32>;
 * but `is_nan` gives bool, `to_int` i32, and `infinity()` and
 * `not_a_number()` take nothing.
 */
export type ScalarFunction =
  | LaneFunction
  | `${LaneFunction}4`
  | "infinity"
  | "not_a_number";

const types = {
  "": { F: "f32", I: "i32", U: "u32", B: "bool" },
  "4": { F: "vec4<f32>", I: "vec4<i32>", U: "vec4<u32>", B: "vec4<bool>" },
} as const;

function isFunction(name: string): name is FunctionName {
  return Object.hasOwn(functionTemplates, name);
}

function textOf(name: FunctionName, ending: "" | "4"): string {
  return `fn ${name}$${functionTemplates[name]}\n`
    .replace(/\b[FIUB]\b/g, (letter) => types[ending][letter as "F"])
    .replaceAll("$", ending);
}

/**
 * WGSL text of functions and of what they call, each once, callees first.
 *
 * @param names Which ones, in any order; repeats are fine.
 */
export function wgslFunctions(names: readonly ScalarFunction[]): string {
  const texts = new Map<string, string>();
  const include = (name: FunctionName, ending: "" | "4"): void => {
    if (texts.has(name + ending)) return;
    for (
      const [, callee, mark] of functionTemplates[name].matchAll(
        /(\w+)(\$?)\(/g,
      )
    ) {
      if (isFunction(callee)) include(callee, mark === "$" ? ending : "");
    }
    texts.set(name + ending, textOf(name, ending));
  };
  for (const name of names) {
    if (isFunction(name)) include(name, "");
    else include(name.slice(0, -1) as FunctionName, "4");
  }
  return [...texts.values()].join("");
}
