/**
 * `deno task bench`: what is measured and how it is called.
 *
 * @module
 */

import { FlagError, type Flags, readFlags } from "./arguments.ts";
import { benchMatmul, matmulDefaults } from "./matmul.ts";
import { benchOps, opsDefaults } from "./ops.ts";
import { benchStep, stepDefaults } from "./step.ts";

interface Benchmark {
  readonly about: string;
  readonly defaults: Readonly<Record<string, string>>;
  readonly run: (flags: Flags) => Promise<void>;
}

const benchmarks: Readonly<Record<string, Benchmark>> = {
  matmul: {
    about: "matrix products, GFLOP/s by shape and layout",
    defaults: matmulDefaults,
    run: benchMatmul,
  },
  step: {
    about: "one GPT training step: forward, backward, Adam",
    defaults: stepDefaults,
    run: benchStep,
  },
  ops: {
    about: "elementwise and reduction kernels, elements a second",
    defaults: opsDefaults,
    run: benchOps,
  },
};

function usage(): string {
  const lines = Object.entries(benchmarks).map(
    ([name, { about, defaults }]) => {
      const flags = Object.entries(defaults).map(([flag, value]) =>
        `--${flag} ${value}`
      );
      return `  deno task bench ${name} [${
        flags.join(" ")
      } --json]\n      ${about}`;
    },
  );
  return `Benchmarks, with their flags and defaults:\n${lines.join("\n")}`;
}

async function main([name, ...rest]: readonly string[]): Promise<number> {
  const isHelp = [name, ...rest].some((argument) =>
    argument === "--help" || argument === "-h"
  );
  if (name === undefined || isHelp) {
    console.log(usage());
    return 0;
  }
  const benchmark = benchmarks[name];
  if (benchmark === undefined) {
    console.error(`bench: there is no "${name}"\n${usage()}`);
    return 2;
  }
  try {
    await benchmark.run(readFlags(rest, benchmark.defaults));
    return 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.error(error.message);
    return error instanceof FlagError || error instanceof RangeError ? 2 : 1;
  }
}

Deno.exit(await main(Deno.args));
