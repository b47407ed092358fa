/**
 * How a reduction is laid out: which axes are walked together, which one is
 * taken in blocks, and how threads share the work.
 *
 * @module
 */

import type { ReduceKind, View } from "../backend.ts";
import { contiguousStrides, sizeOf } from "../shape.ts";
import { collapse, type Layout } from "../layout.ts";
import type { Gpu } from "./gpu.ts";
import { kernelForm } from "./kernel_form.ts";
import { type Walk, walkOf, walks } from "./lanes.ts";
import type { CachedProgram } from "./program_cache.ts";
import type { ReduceForm } from "./reduce_shader.ts";

/** One reduction: shapes are those of the kernel's contract. */
export interface Reduction {
  /** How elements are combined. */
  readonly kind: ReduceKind;
  /** Computes the elements. */
  readonly cached: CachedProgram;
  /** Shape of the inputs. */
  readonly shape: readonly number[];
  /** The inputs that the program reads. */
  readonly inputs: readonly View[];
  /** Contiguous; extent 1 where axes are combined. */
  readonly out: View;
  /** The program's scalars. */
  readonly scalars: readonly number[];
}

/** The axes that stay, in order, and those that are combined. */
interface Axes {
  /** Strides of the inputs, then of the result. */
  readonly kept: Layout;
  /** Strides of the inputs. */
  readonly reduced: Layout;
}

function axesOf({ shape, inputs, out }: Reduction): Axes {
  const strides = inputs.map((input) => input.strides);
  const isKept = out.shape.map((extent, axis) => extent === shape[axis]);
  const extents = (kept: boolean): number[] =>
    shape.map((extent, axis) => isKept[axis] === kept ? extent : 1);
  return {
    kept: collapse(
      extents(true),
      [...strides, contiguousStrides(out.shape)],
      (axis) => -axis,
    ),
    reduced: collapse(
      extents(false),
      strides,
      (axis) => strides.reduce((sum, list) => sum + Math.abs(list[axis]), 0),
    ),
  };
}

/** How many inputs have neighbours of that axis as neighbours in memory. */
function neighbours({ strides }: Layout, inputs: number): number {
  let count = 0;
  for (let i = 0; i < inputs; i++) if (strides[i].at(-1) === 1) count++;
  return count;
}

/** The layout with at least one axis. */
function withAxis(layout: Layout): Layout {
  return layout.extents.length > 0
    ? layout
    : { extents: [1], strides: layout.strides.map(() => [0]) };
}

interface Blocks {
  readonly along: "kept" | "reduced";
  readonly lanes: 1 | 4;
}

/** Which innermost axis is taken four elements at a time. */
function blocksOf({ kept, reduced }: Axes, inputs: number): Blocks {
  const keptFits = kept.extents.at(-1)! >= 4;
  const reducedFits = reduced.extents.at(-1)! >= 4;
  if (!keptFits && !reducedFits) return { along: "kept", lanes: 1 };
  const prefersKept = neighbours(kept, inputs) >= neighbours(reduced, inputs);
  const along = keptFits && (prefersKept || !reducedFits) ? "kept" : "reduced";
  return { along, lanes: 4 };
}

/** How threads share the work. */
interface Sharing {
  readonly items: number;
  readonly parts: number;
  /** Pieces that a second launch combines. */
  readonly chunks: number;
}

/** Threads of a workgroup where each works alone. */
const registerThreads = 8;
/** Tasks that keep some cores of a CPU busy: cutting them costs a launch. */
const someTasks = 32;
/** Tasks to cut the work into where it has to be cut. */
const manyTasks = 128;
/** Threads of a workgroup that share results. */
const sharingThreads = 256;
/** Workgroups that keep a GPU busy. */
const manyGroups = 256;
/** Turns that combine one unit each; the others count blocks of them. */
const unitTurns = 0.9;

function sharingOf(
  gpu: Gpu,
  along: "kept" | "reduced",
  items: number,
  units: number,
): Sharing {
  const chunks = (
    wanted: number,
    leastUnits: number,
    parts: number,
  ): number =>
    Math.max(
      1,
      Math.min(Math.ceil(wanted), Math.floor(units / leastUnits)),
      Math.ceil(units / parts / (unitTurns * gpu.mostTurns)),
    );
  if (kernelForm(gpu, "reduce") === "registers") {
    return {
      items: registerThreads,
      parts: 1,
      chunks: chunks(items >= someTasks ? 1 : manyTasks / items, 128, 1),
    };
  }
  const parts = along === "kept"
    ? (items >= 16 ? 8 : 64)
    : (units >= 256 ? 256 : units >= 32 ? 32 : 8);
  const perGroup = sharingThreads / parts;
  const groups = Math.ceil(items / perGroup);
  return {
    items: perGroup,
    parts,
    chunks: chunks(manyGroups / groups, parts * 16, parts),
  };
}

/** A reduction as a launch. */
export interface ReducePlan {
  /** The kernel. */
  readonly form: ReduceForm;
  /** Pieces of the result that a second launch has to combine. */
  readonly chunks: number;
  /** Workgroups. */
  readonly groups: number;
  /** The kernel's parameters but the scalars. */
  readonly values: readonly number[];
}

/** How the views of a reduction walk along the blocks. */
function walksOf(
  { inputs }: Reduction,
  blocked: Layout,
  others: Layout,
  lanes: 1 | 4,
): Walk[] {
  const last = blocked.extents.length - 1;
  return inputs.map((view, i) => {
    const strides = [...blocked.strides[i], ...others.strides[i]];
    return walkOf(view, strides, last, lanes);
  });
}

/** Plans a reduction whose results are not none. */
export function planReduction(gpu: Gpu, reduction: Reduction): ReducePlan {
  const { kind, inputs, out } = reduction;
  const axes = axesOf(reduction);
  const [kept, reduced] = [withAxis(axes.kept), withAxis(axes.reduced)];
  const { along, lanes } = blocksOf({ kept, reduced }, inputs.length);
  const [blocked, others] = along === "kept"
    ? [kept, reduced]
    : [reduced, kept];
  const extent = blocked.extents.at(-1)!;
  const [size, count] = [sizeOf(kept.extents), sizeOf(reduced.extents)];
  const inBlocks = (elements: number): number =>
    elements === 0 ? 0 : elements / extent * Math.ceil(extent / lanes);
  const items = along === "kept" ? inBlocks(size) : size;
  const units = along === "reduced" ? inBlocks(count) : count;
  const sharing = sharingOf(gpu, along, items, units);
  const { chunks, parts } = sharing;
  const chunk = Math.ceil(units / chunks);
  const moves = walksOf(reduction, blocked, others, lanes);
  const isAligned = lanes === 4 && along === "kept" && extent % 4 === 0 &&
    (chunks > 1 || out.offset % 4 === 0);
  // Two levels of about equal length keep the digits of sums.
  const nest = Math.max(8, Math.ceil(Math.sqrt(chunk / parts)));
  const values = [items, chunks, units, chunk, nest, extent, size];
  values.push(...kept.extents, ...reduced.extents);
  inputs.forEach((_, i) => {
    values.push(...kept.strides[i], ...reduced.strides[i]);
    if (moves[i] === walks.strided) values.push(blocked.strides[i].at(-1)!);
  });
  return {
    form: {
      kind,
      along,
      lanes,
      ragged: extent % lanes !== 0,
      kept: kept.extents.length,
      reduced: reduced.extents.length,
      items: sharing.items,
      parts,
      moves,
      stored: isAligned ? walks.aligned : walks.contiguous,
    },
    chunks,
    groups: parts === 1
      ? Math.ceil(items * chunks / sharing.items)
      : Math.ceil(items / sharing.items) * chunks,
    values,
  };
}
