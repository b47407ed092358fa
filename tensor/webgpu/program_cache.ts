/**
 * Elementwise programs with the kernels that were made of them.
 *
 * @module
 */

import { type Elementwise, inputsUsed } from "../expression.ts";
import { createPlanCache } from "../plan_cache.ts";
import type { CompiledShader, Gpu } from "./gpu.ts";
import type { Shader } from "./shader.ts";

/** A program with what was compiled of it. */
export interface CachedProgram {
  /** The program. */
  readonly program: Elementwise;
  /** The inputs that it reads: kernels take no others. */
  readonly used: readonly number[];
  /** Kernels by the name of their form. */
  readonly shaders: Map<string, CompiledShader>;
}

/** Remembers programs, for one kind of kernel. */
export function createProgramCache(): (program: Elementwise) => CachedProgram {
  return createPlanCache((program) => ({
    program,
    used: inputsUsed(program.outputs, program.inputs.length)
      .flatMap((isUsed, i) => isUsed ? [i] : []),
    shaders: new Map(),
  }));
}

/**
 * The kernel of a program in a form.
 *
 * @param kind What the kernel does with the program.
 * @param form Names all else that `make`'s result depends on.
 */
export function shaderOf(
  gpu: Gpu,
  { program, shaders }: CachedProgram,
  kind: "map" | "reduce",
  form: string,
  make: () => Shader,
): CompiledShader {
  let shader = shaders.get(form);
  if (shader === undefined) {
    shader = gpu.shader(`${kind} ${program.key} ${form}`, make);
    shaders.set(form, shader);
  }
  return shader;
}
