/**
 * Random tensors and dropout, from counters: the same key gives the same
 * numbers on every device and for every number of threads.
 *
 * @module
 */

import type { Dropout, RandomKey } from "../backend.ts";
import { type Device, getDefaultDevice } from "../devices.ts";
import * as e from "../expression.ts";
import { apply, type Operation } from "../operation.ts";
import type { Shape } from "../shape.ts";
import { empty, type Tensor } from "../tensor.ts";
import { fuse } from "./elementwise.ts";
import { contiguous, slice } from "./movement.ts";
import { assertReal } from "./operands.ts";

/**
 * A key for one stream of random numbers.
 *
 * @param seed An integer in 0 … 2⁵³ − 1.
 * @param stream Up to three integers in 0 … 2³² − 1 that name the stream.
 * @throws {RangeError} If one of them isn't.
 */
export function randomKey(seed: number, ...stream: number[]): RandomKey {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(
      `randomKey: seed ${seed} must be an integer in 0 … 2⁵³ − 1`,
    );
  }
  if (
    stream.length > 3 ||
    stream.some((word) =>
      !Number.isInteger(word) || word < 0 || word >= 2 ** 32
    )
  ) {
    throw new RangeError(
      `randomKey: stream [${stream.join(", ")}] must be up to three integers ` +
        `in 0 … 2³² − 1`,
    );
  }
  const [a = 0, b = 0, c = 0] = stream;
  return { seed, streams: [[a, b, c]] };
}

/** Options of random tensors. */
export interface RandomOptions {
  /** Where; default: the default device. */
  readonly device?: Device;
}

/** Uniform numbers in [low, high). */
export function uniform(
  shape: Shape,
  key: RandomKey,
  low = 0,
  high = 1,
  options: RandomOptions = {},
): Tensor {
  using unit = unitUniform(shape, key, options.device ?? getDefaultDevice());
  return rescale(unit, high - low, low);
}

const rescale = fuse(
  "uniform",
  (x, factor, shift) => e.add(e.mul(x, factor), shift),
);

function unitUniform(shape: Shape, key: RandomKey, device: Device): Tensor {
  const out = empty(device, device.floatDtype, shape, "uniform");
  device.backend.random(key, out);
  return out;
}

/**
 * Box–Muller (1958): √(−2 log u) cos 2πv of two uniform numbers; 1 − u is in
 * (0, 1], so the logarithm is finite.
 */
const boxMuller = fuse("normal", (u, v, deviation, mean) =>
  e.add(
    e.mul(
      e.mul(
        e.sqrt(e.mul(-2, e.log(e.sub(1, u)))),
        e.cos(e.mul(2 * Math.PI, v)),
      ),
      deviation,
    ),
    mean,
  ));

/** Normally distributed numbers of the given mean and standard deviation. */
export function normal(
  shape: Shape,
  key: RandomKey,
  mean = 0,
  deviation = 1,
  options: RandomOptions = {},
): Tensor {
  const device = options.device ?? getDefaultDevice();
  using pairs = unitUniform([2, ...shape], key, device);
  const half = (i: number): Tensor => {
    using part = slice(pairs, [[i, i + 1]]);
    return part.view(shape, part.strides.slice(1), part.offset);
  };
  using u = half(0);
  using second = half(1);
  // Numbers far apart in one buffer can't always be bound together.
  using v = device.copy(second);
  return boxMuller(u, v, deviation, mean);
}

/** Dropout from counters. */
export const dropoutOperation: Operation<Dropout> = {
  name: "dropout",
  forward: ([x], attributes) => {
    const out = empty(x.device, x.dtype, x.shape, "dropout");
    x.device.backend.dropout(attributes, x, out);
    return [out];
  },
};

/**
 * Inverted dropout (Srivastava et al. 2014): each element is zero with
 * probability p, otherwise x / (1 − p). Which ones is a pure function of the
 * key, so a layer that is computed again, in backward or in another sweep,
 * sees the same mask.
 *
 * @throws {RangeError} If p isn't in [0, 1).
 * @throws {TypeError} If x holds no real numbers.
 */
export function dropout(
  x: Tensor,
  probability: number,
  key: RandomKey,
): Tensor {
  assertReal("dropout", x);
  if (!(probability >= 0 && probability < 1)) {
    throw new RangeError(
      `dropout: probability ${probability} must be in [0, 1)`,
    );
  }
  if (probability === 0) return x;
  return apply(dropoutOperation, [contiguous(x)], { probability, key })[0];
}

const maskProgram = fuse(
  "dropout mask",
  (x, keep, scale) => e.select(e.toBool(keep), e.mul(x, scale), 0),
);

/** Dropout with a given bool mask: x / (1 − p) where `keep`, otherwise 0. */
export function dropoutMask(
  x: Tensor,
  keep: Tensor,
  probability: number,
): Tensor {
  return maskProgram(x, keep, 1 / (1 - probability));
}
