/**
 * Counting kernel launches.
 *
 * @module
 */

import type { Backend, Kernels } from "./backend.ts";

// A record, so that the type checker misses a kernel that is missing here.
const kernels: Readonly<Record<keyof Kernels, true>> = {
  map: true,
  reduce: true,
  matmul: true,
  softmax: true,
  softmaxBackward: true,
  crossEntropy: true,
  crossEntropyBackward: true,
  layerNorm: true,
  layerNormBackward: true,
  attention: true,
  attentionBackward: true,
  take: true,
  takeBackward: true,
  gather: true,
  gatherBackward: true,
  cumsum: true,
  argmax: true,
  topk: true,
  random: true,
  dropout: true,
};

/** The same backend, which tells `onLaunch` of every kernel. */
export function countLaunches(backend: Backend, onLaunch: () => void): Backend {
  const counted = Object.keys(kernels).map((name) => {
    const kernel = backend[name as keyof Kernels] as (
      ...values: unknown[]
    ) => void;
    return [name, (...values: unknown[]): void => {
      onLaunch();
      kernel(...values);
    }];
  });
  // Inherited, for `mode` and `threads` may be measured when they are read.
  return Object.assign(Object.create(backend), Object.fromEntries(counted));
}
