/**
 * Which tile of the matrix product the platform runs faster.
 *
 * Whether V8 joins vectors to 256 bits depends on flags that can't be read, so
 * the tiles of both modes are timed. They start as Liftoff code, which is as
 * slow for both, and several times slower than what TurboFan makes of it in the
 * background. So the ratio of their times tells whether both are optimized, and
 * the choice is made once it does so for a while. Where that takes too long,
 * because other work delays the compiler, the choice stays open, and the next
 * attempt finds the code done.
 *
 * @module
 */

import { f32, i32, ModuleBuilder, type Target } from "./assembler.ts";
import { blockDepth, emitTile, tileOf } from "./gemm.ts";
import type { Mode } from "./runtime.ts";
import { controlBytes } from "./threads.ts";

/** Floating point operations, about 1 ms, after which the choice matters. */
const firstWork = 2 ** 25;
/** How long an attempt takes at most, in milliseconds. */
const patience = 60;
/** The same where the mode is asked for. */
const longPatience = 500;
/** Attempts after which neither is ahead, and it doesn't matter. */
const mostAttempts = 8;
/** Rounds whose fastest are compared. */
const rounds = 9;
/** How often in a row the comparison has to come out the same. */
const confirmations = 3;
/**
 * Ratios of the time of the portable tile to that of the wide one. 256-bit code
 * is about 1.4 times as fast, and 0.7 times where its vectors aren't joined.
 * Liftoff code of both gives 1, of one of them less than 0.3 or more than 2.5.
 */
const ratios: Record<Mode, readonly [number, number]> = {
  portable: [0.45, 0.87],
  turbo: [1.2, 2.2],
};
const tilesPerRound = 8;
const modes: readonly Mode[] = ["portable", "turbo"];

/** What was chosen, in the life of a process, with fused multiply-adds or not. */
const choices = new Map<boolean, Mode>();

/** The mode of a runtime, as far as it is known. */
export interface ModeChoice {
  /** Measured if need be; `portable` where that is not possible. */
  readonly mode: Mode;
  /** See `Runtime.modeFor`. */
  modeFor(work: number): Mode;
}

/** A function that runs a tile a few times, and its multiply-adds. */
interface Probe {
  readonly run: (address: number) => void;
  readonly work: number;
}

/**
 * Measures when it has to, for some 10 ms. The tiles run on the calling
 * thread's scratch memory, which is free between launches.
 */
export function createModeChoice(
  target: Target,
  memory: WebAssembly.Memory,
): ModeChoice {
  let probes: Probe[] | undefined;
  let attempts = 0;
  let done = 0;
  let due = firstWork;

  function attempt(limit: number): Mode | undefined {
    const address = controlBytes;
    const floats = 32 * blockDepth;
    new Float32Array(memory.buffer, address, floats).fill(0);
    probes ??= compile(target, memory);
    let mode = compare(probes, address, limit);
    if (++attempts === mostAttempts) mode ??= "portable";
    if (mode !== undefined) choices.set(target.relaxed, mode);
    return mode;
  }

  return {
    get mode(): Mode {
      return choices.get(target.relaxed) ?? attempt(longPatience) ?? "portable";
    },
    modeFor(work): Mode {
      const choice = choices.get(target.relaxed);
      if (choice !== undefined) return choice;
      done += work;
      if (done < due) return "portable";
      due = 2 * done;
      return attempt(patience) ?? "portable";
    },
  };
}

/** Waits for a clear result; undefined if there was none in time. */
function compare(
  probes: readonly Probe[],
  address: number,
  limit: number,
): Mode | undefined {
  const start = performance.now();
  let last: Mode | undefined;
  let confirmed = 0;
  do {
    const [portable, turbo] = fastest(probes, address);
    const ratio = portable / turbo;
    const mode = modes.find((mode) =>
      ratios[mode][0] < ratio && ratio < ratios[mode][1]
    );
    confirmed = mode !== undefined && mode === last ? confirmed + 1 : 1;
    if (mode !== undefined && confirmed === confirmations) return mode;
    last = mode;
  } while (performance.now() - start < limit);
  return undefined;
}

function compile(target: Target, memory: WebAssembly.Memory): Probe[] {
  const module = new ModuleBuilder(target);
  const works = modes.map((mode) => {
    const { rows, columns } = tileOf(mode, target);
    const tile = emitTile(module, { rows, columns }, "columns");
    module.export(mode, ["ptr"], undefined, (f, at) => {
      const [round, none] = [f.local("i32"), f.pointer(0)];
      const b = f.offset(at, 4 * blockDepth * rows);
      const c = f.offset(b, 4 * blockDepth * columns);
      f.for(round, i32(0), i32(tilesPerRound), 1, () => {
        f.run(
          tile,
          ...[at, f.pointer(4 * rows), b, f.pointer(4 * columns)],
          ...[i32(blockDepth), c, f.pointer(4 * columns)],
          ...[none, none, none, none, f32(1), i32(0)],
        );
      });
    });
    return rows * columns;
  });
  const { exports } = new WebAssembly.Instance(
    new WebAssembly.Module(module.build()),
    { layerbraid: { memory } },
  );
  return modes.map((mode, i) => ({
    run: exports[mode] as Probe["run"],
    work: works[i],
  }));
}

/**
 * The shortest time of each probe. They take turns, so that what slows the
 * machine slows both.
 */
function fastest(
  probes: readonly Probe[],
  address: number,
): number[] {
  const times = probes.map(() => Infinity);
  for (let round = 0; round < rounds; round++) {
    probes.forEach((probe, i) => {
      times[i] = Math.min(times[i], time(probe, address));
    });
  }
  return times;
}

/**
 * Time of a multiply-add, in units of its own. Browsers' clocks are coarse, so
 * this repeats until they ticked.
 */
function time({ run, work }: Probe, address: number): number {
  const start = performance.now();
  let elapsed = 0;
  let calls = 0;
  while (elapsed < 0.05) {
    run(address);
    calls++;
    elapsed = performance.now() - start;
  }
  return elapsed / (calls * work);
}
