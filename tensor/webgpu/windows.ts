/**
 * Views too large to be bound at once, taken in parts.
 *
 * @module
 */

import type { View } from "../backend.ts";
import type { Block, PooledBuffer } from "./buffer_pool.ts";
import type { Gpu } from "./gpu.ts";
import { gpuBytesPerElement, touchedRange } from "./view_memory.ts";

/**
 * Whether a launch on these views can bind all that they touch. Views of one
 * buffer share a binding, which spans them all.
 */
export function windowsFit(gpu: Gpu, views: readonly View[]): boolean {
  const limit = gpu.limits.maxStorageBufferBindingSize;
  for (const { buffer } of views) {
    const { block } = buffer as PooledBuffer;
    if (block.capacity > limit && !fits(block, views, limit)) return false;
  }
  return true;
}

/** The views of those buffers that a launch on all these views can't bind. */
export function viewsTooWide(gpu: Gpu, views: readonly View[]): View[] {
  const limit = gpu.limits.maxStorageBufferBindingSize;
  return views.filter(({ buffer }) => {
    const { block } = buffer as PooledBuffer;
    return block.capacity > limit && !fits(block, views, limit);
  });
}

/** Whether what the views touch of a block can be bound. */
function fits(block: Block, views: readonly View[], limit: number): boolean {
  let [first, end, bytes] = [Infinity, 0, 0];
  for (const view of views) {
    if ((view.buffer as PooledBuffer).block !== block) continue;
    const [from, to] = touchedRange(view);
    first = Math.min(first, from);
    end = Math.max(end, to);
    bytes = gpuBytesPerElement[view.dtype];
  }
  // A window begins at a multiple of 256 bytes.
  return (end - first) * bytes + 512 <= limit;
}

/** The positions `from` … `to` − 1 of one axis of a view. */
export function slice(
  view: View,
  axis: number,
  from: number,
  to: number,
): View {
  if (from === 0 && to === view.shape[axis]) return view;
  return {
    buffer: view.buffer,
    dtype: view.dtype,
    strides: view.strides,
    shape: view.shape.with(axis, to - from),
    offset: view.offset + from * view.strides[axis],
  };
}

/** The axis along which the views reach farthest; −1 if there is none to cut. */
export function longestAxis(views: readonly View[]): number {
  let [longest, axis] = [0, -1];
  for (const { shape, strides } of views) {
    for (let i = 0; i < shape.length; i++) {
      const reach = (shape[i] - 1) * Math.abs(strides[i]);
      if (reach > longest) [longest, axis] = [reach, i];
    }
  }
  return axis;
}

/** Where to cut an axis in two: a multiple of 4 if it is long enough. */
export function middleOf(extent: number): number {
  const half = Math.ceil(extent / 2);
  return extent < 8 ? half : Math.ceil(half / 4) * 4;
}

/**
 * Calls `launch` on the views, or on halves of halves of them along their
 * longest axis that can be bound. The views have one shape. What can't be cut
 * any further is launched as it is, which throws.
 */
export function launchInParts(
  gpu: Gpu,
  views: readonly View[],
  launch: (views: readonly View[]) => void,
): void {
  const axis = windowsFit(gpu, views) ? -1 : longestAxis(views);
  if (axis < 0) {
    launch(views);
    return;
  }
  const extent = views[0].shape[axis];
  const middle = middleOf(extent);
  for (const [from, to] of [[0, middle], [middle, extent]]) {
    launchInParts(gpu, views.map((x) => slice(x, axis, from, to)), launch);
  }
}

/**
 * Runs on all of `count` rows at once, or on halves of them, halves of halves
 * and so on, where the views of all would be too large to bind.
 */
export function inWindows(
  gpu: Gpu,
  count: number,
  viewsOf: (from: number, to: number) => readonly View[],
  run: (from: number, to: number, views: readonly View[]) => void,
): void {
  const halve = (from: number, to: number): void => {
    const views = viewsOf(from, to);
    if (to - from <= 1 || windowsFit(gpu, views)) {
      run(from, to, views);
      return;
    }
    const middle = Math.ceil((from + to) / 2);
    halve(from, middle);
    halve(middle, to);
  };
  if (count > 0) halve(0, count);
}
