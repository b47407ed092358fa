/**
 * `deno task bench`: what is measured and how it is called.
 *
 * @module
 */

import { FlagError, type Flags, readFlags } from "./arguments.ts";
import {
  benchGradients,
  gradientsDefaults,
  transitionDefaults,
} from "./gradients.ts";
import { benchGuess, guessDefaults } from "./guess.ts";
import { benchMatmul, matmulDefaults } from "./matmul.ts";
import { benchMgrit, mgritDefaults } from "./mgrit.ts";
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
  mgrit: {
    about: "a block's training step: serial, multigrid, stacked multigrid",
    defaults: mgritDefaults,
    run: benchMgrit,
  },
  guess: {
    about: "gradients of random blocks, by what multigrid starts from",
    defaults: guessDefaults,
    run: benchGuess,
  },
  gradients: {
    about: "gradients while a GPT is trained with fixed iterations",
    defaults: gradientsDefaults,
    run: benchGradients,
  },
  transition: {
    about: "the same, where the gradients stop being good enough",
    defaults: transitionDefaults,
    run: benchGradients,
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
