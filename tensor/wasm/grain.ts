/**
 * How finely launches are cut for threads.
 *
 * @module
 */

/**
 * Items of `elements` elements each that make one chunk of a launch: waking a
 * thread takes as long as tens of thousands of cheap elements, so a launch
 * below `least` elements stays on the calling thread.
 */
export function grainOf(elements: number, least: number): number {
  return Math.max(1, Math.ceil(least / Math.max(1, elements)));
}
