/**
 * Shaders with a thread for each of `parameters.items`.
 *
 * @module
 */

import { spread } from "./recorder.ts";
import type { ShaderParameter } from "./shader.ts";

const workgroup = 64;

/** Parameters of type u32. */
export function words(...names: readonly string[]): ShaderParameter[] {
  return names.map((name) => ({ name, type: "u32" }));
}

/** WGSL of an entry point that runs `body` for every `item`. */
export function forItems(body: string): string {
  return `
@compute @workgroup_size(${workgroup})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let item = (group.y * groups.x + group.x) * ${workgroup}u + local;
  if (item >= parameters.items) { return; }
  ${body}
}`;
}

/** The workgroups of a launch for so many items. */
export function itemWorkgroups(items: number): [number, number, number] {
  return spread(Math.ceil(items / workgroup));
}

/** Accessors of single elements, or of four at once, as WGSL. */
export interface Accessors {
  /** Element, or vector, number `at`. */
  readonly load: (name: string, at: string) => string;
  /** The statement that stores it. */
  readonly store: (name: string, at: string, value: string) => string;
}

/** The accessors of single elements, or those of vectors. */
export function accessorsOf(vector: boolean): Accessors {
  return vector
    ? {
      load: (name, at) => `load4_${name}(4u * (${at}))`,
      store: (name, at, value) => `store4_${name}(4u * (${at}), ${value});`,
    }
    : {
      load: (name, at) => `load_${name}(${at})`,
      store: (name, at, value) => `store_${name}(${at}, ${value});`,
    };
}
