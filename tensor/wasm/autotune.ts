/**
 * Which tile of the matrix product the platform runs faster.
 *
 * Whether V8 joins vectors to 256 bits depends on flags that can't be read, so
 * the tiles of both modes are timed. They start as Liftoff code, which is
 * several times slower than what TurboFan makes of it in the background, so
 * rounds go on until both tiles have become that much faster, or time is up.
 *
 * @module
 */

import { f32, i32, ModuleBuilder } from "./assembler.ts";
import { blockDepth, emitTile, tileOf } from "./gemm.ts";
import type { Mode, Runtime } from "./runtime.ts";

/** Longest time that the choice takes, in milliseconds. */
const patience = 100;
/** Rounds that are surely run by Liftoff. */
const firstRounds = 3;
/** How much faster each tile is once it is optimized, at least. */
const tierUp = [2.5, 1.7];
/** Rounds to compare after that. */
const finalRounds = 9;
/**
 * How much faster 256-bit code must be to be believed. It is about 1.4 times
 * as fast, and 0.7 times where its vectors aren't joined.
 */
const advantage = 1.15;
const tilesPerRound = 8;
const modes: readonly Mode[] = ["portable", "turbo"];

const choices = new Map<boolean, Mode>();

/**
 * `turbo` where the wide tile wins clearly. Takes some 10 ms, once in the life
 * of a process; longer where other work delays V8's optimizing compiler.
 */
export function chooseMode(
  runtime: Pick<Runtime, "target" | "memory" | "temporary" | "release">,
): Mode {
  const { relaxed } = runtime.target;
  const choice = choices.get(relaxed) ?? measure(runtime);
  choices.set(relaxed, choice);
  return choice;
}

/** A function that runs a tile a few times, and its multiply-adds. */
interface Probe {
  readonly run: (address: number) => void;
  readonly work: number;
}

function measure(runtime: Parameters<typeof chooseMode>[0]): Mode {
  const probes = compile(runtime);
  const floats = 32 * blockDepth;
  const address = runtime.temporary(4 * floats);
  new Float32Array(runtime.memory.buffer, address, floats).fill(0);
  // The very first calls wait for Liftoff.
  for (const probe of probes) probe.run(address);
  const first = probes.map((probe) => {
    const rounds = Array.from({ length: firstRounds });
    return Math.min(...rounds.map(() => time(probe, address)));
  });
  const ratios: number[] = [];
  const start = performance.now();
  while (
    ratios.length < finalRounds && performance.now() - start < patience
  ) {
    // One after the other, so that what slows the machine slows both.
    const times = probes.map((probe) => time(probe, address));
    const optimized = times.every((each, i) => each * tierUp[i] < first[i]);
    if (optimized || ratios.length > 0) ratios.push(times[0] / times[1]);
  }
  runtime.release(address);
  if (ratios.length === 0) return "portable";
  ratios.sort((a, b) => a - b);
  return ratios[ratios.length >> 1] > advantage ? "turbo" : "portable";
}

function compile(
  { target, memory }: Pick<Runtime, "target" | "memory">,
): Probe[] {
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
 * Time of a multiply-add, in units of its own. Browsers' clocks are coarse, so
 * this repeats until they ticked.
 */
function time({ run, work }: Probe, address: number): number {
  const start = performance.now();
  let elapsed = 0;
  let rounds = 0;
  while (elapsed < 0.05) {
    run(address);
    rounds++;
    elapsed = performance.now() - start;
  }
  return elapsed / (rounds * work);
}
