/**
 * Kernels as data: WGSL with named operands and parameters, and the bindings
 * that the operands of one launch need.
 *
 * @module
 */

import type { Dtype } from "../dtype.ts";

/** A tensor that a kernel reads or writes. */
export interface ShaderOperand {
  /** Names the accessors: `load_NAME`, `store_NAME`. */
  readonly name: string;
  /** `update` means both. */
  readonly access: "read" | "write" | "update";
  /**
   * Also accessed four elements at a time, by `load4_NAME` and `store4_NAME`, at
   * indices that are multiples of 4; so is the offset of its view then.
   */
  readonly vector?: boolean;
}

/** A number that is given at launch: `parameters.NAME`. */
export interface ShaderParameter {
  /** Its name in WGSL. */
  readonly name: string;
  /** Its type in WGSL. */
  readonly type: "u32" | "i32" | "f32";
}

/**
 * A kernel. Its code calls accessors, which count elements from the first one
 * of a view, and never sees bindings: views of one buffer have to share one.
 *
 *     load_x(i: u32) -> f32          i32 of integers, bool of truth values
 *     load4_x(i: u32) -> vec4<f32>
 *     store_x(i: u32, value: f32)
 *     store4_x(i: u32, value: vec4<f32>)
 *     tail(i: u32) -> u32
 *     report_index(position: u32, value: i32)
 */
export interface Shader {
  /** The operation, for messages. */
  readonly operation: string;
  /** In the order of a launch's views. */
  readonly operands: readonly ShaderOperand[];
  /** In the order of a launch's values. */
  readonly parameters: readonly ShaderParameter[];
  /** Words of further numbers, a multiple of 4; default 0. */
  readonly tail?: number;
  /** Whether it calls `report_index`. */
  readonly indexed?: boolean;
  /** Whether it uses subgroups. */
  readonly subgroups?: boolean;
  /** Functions, and an entry point `main`. */
  readonly code: string;
}

/** How the operands of a launch lie in memory. */
export interface OperandLayout {
  /** Which binding each operand uses. */
  readonly slots: readonly number[];
  /** The dtype of each operand. */
  readonly dtypes: readonly Dtype[];
}

/** One binding, as the operands that share it need it. */
interface Slot {
  readonly element: string;
  readonly vector: boolean;
  readonly writable: boolean;
}

const scalars: Readonly<Record<Dtype, string>> = {
  f16: "f16",
  f32: "f32",
  f64: "f32", // there is none on this device
  i32: "i32",
  bool: "u32",
};

function slotsOf(shader: Shader, { slots, dtypes }: OperandLayout): Slot[] {
  const count = Math.max(-1, ...slots) + 1;
  return Array.from({ length: count }, (_, slot) => {
    const users = shader.operands.filter((_, i) => slots[i] === slot);
    return {
      element: scalars[dtypes[slots.indexOf(slot)]],
      vector: users.every(({ vector }) => vector),
      writable: users.some(({ access }) => access !== "read"),
    };
  });
}

/** Whether each binding, without that of the parameters, may be written. */
export function writableSlots(
  shader: Shader,
  layout: OperandLayout,
): boolean[] {
  const writable = slotsOf(shader, layout).map((slot) => slot.writable);
  return shader.indexed ? [...writable, true] : writable;
}

/** 32-bit words of uniform numbers before the tail. */
export function headWords(shader: Shader): number {
  const words = shader.operands.length + shader.parameters.length +
    (shader.indexed ? 1 : 0);
  return Math.max(4, Math.ceil(words / 4) * 4);
}

/** What a scalar of a slot is in the kernel's code. */
function valueType(dtype: Dtype): string {
  return dtype === "i32" ? "i32" : dtype === "bool" ? "bool" : "f32";
}

function accessors(
  { name, access, vector }: ShaderOperand,
  slot: number,
  { element, vector: vectorSlot }: Slot,
  dtype: Dtype,
): string {
  const value = valueType(dtype);
  const memory = `memory${slot}`;
  const at = `let at = parameters.${name}_offset + i;`;
  const one = vectorSlot ? `${memory}[at >> 2u][at & 3u]` : `${memory}[at]`;
  const lines: string[] = [];
  if (access !== "write") {
    lines.push(
      `fn load_${name}(i: u32) -> ${value} { ${at} return ${
        value === "bool" ? `${one} != 0u` : `${value}(${one})`
      }; }`,
    );
    if (vector) {
      const four = vectorSlot
        ? `${memory}[at >> 2u]`
        : `vec4<${element}>(${
          [0, 1, 2, 3].map((k) => `${memory}[at + ${k}u]`).join(", ")
        })`;
      lines.push(
        `fn load4_${name}(i: u32) -> vec4<${value}> { ${at} return ${
          value === "bool"
            ? `${four} != vec4<u32>()`
            : `vec4<${value}>(${four})`
        }; }`,
      );
    }
  }
  if (access !== "read") {
    lines.push(
      `fn store_${name}(i: u32, value: ${value}) { ${at} ${one} = ${element}(value); }`,
    );
    if (vector) {
      const stored = `vec4<${element}>(value)`;
      lines.push(
        `fn store4_${name}(i: u32, value: vec4<${value}>) { ${at} ${
          vectorSlot
            ? `${memory}[at >> 2u] = ${stored};`
            : `let stored = ${stored}; ${
              [0, 1, 2, 3].map((k) => `${memory}[at + ${k}u] = stored[${k}];`)
                .join(" ")
            }`
        } }`,
      );
    }
  }
  return lines.join("\n");
}

/**
 * The whole source of a kernel for one layout of its operands.
 *
 * @param directive What a kernel with subgroups begins with.
 */
export function wgslOf(
  shader: Shader,
  layout: OperandLayout,
  directive = "",
): string {
  const { operands, parameters, tail = 0, indexed = false } = shader;
  const slots = slotsOf(shader, layout);
  const fields = [
    ...operands.map(({ name }) => `${name}_offset: u32`),
    ...parameters.map(({ name, type }) => `${name}: ${type}`),
    ...(indexed ? ["launch: u32"] : []),
  ];
  if (fields.length === 0) fields.push("unused: u32");
  if (tail > 0) fields.push(`tail: array<vec4<u32>, ${tail / 4}>`);
  const bindings = slots.map(({ element, vector, writable }, slot) =>
    `@group(0) @binding(${slot + 1}) var<storage, ${
      writable ? "read_write" : "read"
    }> memory${slot}: array<${vector ? `vec4<${element}>` : element}>;`
  );
  return [
    layout.dtypes.includes("f16") ? "enable f16;" : "",
    shader.subgroups ? directive : "",
    `struct Parameters { ${fields.join(", ")} }`,
    "@group(0) @binding(0) var<uniform> parameters: Parameters;",
    ...bindings,
    ...operands.map((operand, i) => {
      const slot = layout.slots[i];
      return accessors(operand, slot, slots[slot], layout.dtypes[i]);
    }),
    tail > 0
      ? "fn tail(i: u32) -> u32 { return parameters.tail[i >> 2u][i & 3u]; }"
      : "",
    indexed ? reportIndex(slots.length + 1) : "",
    shader.code,
  ].filter((line) => line !== "").join("\n");
}

// The first to report wins; which one that is doesn't matter.
function reportIndex(binding: number): string {
  return `@group(0) @binding(${binding}) var<storage, read_write> bad_index: array<atomic<u32>, 4>;
fn report_index(position: u32, value: i32) {
  if (atomicAdd(&bad_index[0], 1u) == 0u) {
    atomicStore(&bad_index[1], parameters.launch);
    atomicStore(&bad_index[2], position);
    atomicStore(&bad_index[3], bitcast<u32>(value));
  }
}`;
}
