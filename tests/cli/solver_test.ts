/** The solver's options: what they mean together, and a run that uses them. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { UsageError } from "../../cli/failure.ts";
import { trainingSolver } from "../../cli/solver_values.ts";
import { readTrainRequest } from "../../cli/train_request.ts";
import { readMetrics, type TrainingSolver } from "../../train/mod.ts";
import { inFolder, run, tiny } from "./task_process.ts";

async function solverOf(args: string): Promise<TrainingSolver | undefined> {
  const { values } = await readTrainRequest(args.split(" "));
  return trainingSolver(values);
}

Deno.test("options become a solver for each direction", async () => {
  const solver = await solverOf(
    "--layers 64 --levels 2,3 --coarsening 8,4 --relaxation FCF --cycle F " +
      "--guess nested --forward-iterations 3 --backward-iterations 0 " +
      "--execution stacked --probe-every 7 --policy serial --indicator ratio " +
      "--largest-ratio 0.8 --smallest-cosine 0.5 --most-iterations 8 " +
      "--control-patience 2 --way-back 0.3",
  );
  const shared = {
    coarsening: [8, 4],
    relaxation: "FCF",
    cycle: "F",
    guess: "nested",
  };
  assertEquals<unknown>(solver, {
    forward: { ...shared, levels: 2, iterations: 3 },
    backward: { ...shared, levels: 3, iterations: 0 },
    execution: "stacked",
    control: {
      interval: 7,
      policy: "serial",
      indicator: "ratio",
      largestRatio: 0.8,
      smallestCosine: 0.5,
      mostIterations: 8,
      patience: 2,
      wayBack: 0.3,
    },
  });
});

Deno.test("one level is serial, and so are too few layers", async () => {
  const levels = async (args: string) => {
    const solver = await solverOf(args);
    return solver && [solver.forward.levels, solver.backward.levels];
  };
  assertEquals(await levels("--layers 16 --levels 1,2"), [1, 2]);
  assertEquals(await levels("--layers 16 --levels 2,1"), [2, 1]);
  assertEquals(await levels("--layers 16 --levels 1"), undefined);
  assertEquals(await levels("--layers 16 --solver serial"), undefined);
  assertEquals(await levels("--layers 4"), [2, 2]);
  assertEquals(await levels("--layers 3"), undefined);
  assertEquals(
    (await solverOf("--layers 8 --probe-every 0"))?.control,
    undefined,
  );
});

Deno.test("solver options that don't go together are refused", async () => {
  const cases: [args: string, message: string][] = [
    [
      "--layers 16 --levels 3 --coarsening 4",
      "--levels 3 with coarsening factor 4 leaves 1 step on level 2 of a " +
      "block of 16 layers; at least 2 are needed; take fewer levels",
    ],
    ["--layers 4 --levels 1,3", "--levels 3 with coarsening factor 2 leaves"],
    ["--layers 4 --levels 3,1", "--levels 3 with coarsening factor 2 leaves"],
    [
      "--layers 16 --levels 3 --coarsening 2,8",
      "--levels 3 with coarsening factors 2, 8 leaves 1 step on level 2",
    ],
    ["--layers 3 --solver mgrit", "--levels 2 (the default) with coarsening"],
    ["--layers 3 --probe-every 9", "--levels 2 (the default) with coarsening"],
    ["--solver serial --levels 2", "--levels 2 is for --solver mgrit, not for"],
    ["--solver serial --policy fixed", "--policy fixed is for --solver mgrit"],
    ["--layers 64 --coarsening 4,2", "4,2 has 2 factors, one for each level"],
    ["--layers 64 --levels 1 --coarsening 4,2", "--levels 1 has use for 0"],
    [
      "--layers 8 --guess skip --backward-iterations 0",
      "--backward-iterations 0 leaves no room for --guess skip",
    ],
    ["--layers 8 --way-back 2", "--way-back 2 is more than --largest-ratio 1"],
    ["--reference nosuch", "--reference nosuch: there is no such run"],
  ];
  for (const [args, message] of cases) {
    await assertRejects(
      () => readTrainRequest(args.split(" ")),
      UsageError,
      message,
      args,
    );
  }
  // A direction that is serial has no iterations to leave room in.
  await solverOf("--layers 8 --guess skip --levels 1,2 --forward-iterations 0");
});

Deno.test("a run by multigrid: probes, a switch, resuming, report, text", () =>
  inFolder(async (folder) => {
    const common = [
      ...tiny.join(" ").replace("--layers 1", "--layers 8").split(" "),
      ..."--before 1 --after 2 --end-time 4 --steps 6".split(" "),
    ];
    // One iteration from zero leaves the gradient's cosine at 0.9987, two leave
    // it within 1e-6 of 1: the first probe fails, and no other.
    const made = await run(folder, "train", [
      ...common,
      ..."--coarsening 2 --guess zero --probe-every 2 --out run".split(" "),
      ..."--forward-iterations 1 --smallest-cosine 0.9995".split(" "),
      ..."--policy double".split(" "),
    ]);
    assertEquals(made.code, 0, made.stderr);
    assertStringIncludes(made.stdout, "GPT, layers 1 + 8 + 2, width 16");
    assertStringIncludes(
      made.stdout,
      "solver  mgrit, 2 levels, coarsening 2, 1 iteration forward, " +
        "1 iteration backward, F-relaxation, from zero; probe every 2\n",
    );
    assertMatch(
      made.stdout,
      /\nstep 1: probe: ρ \S+ forward, \S+ backward; gradient cosine \S+, error \S+ %\n/,
    );
    assertMatch(
      made.stdout,
      /\nstep 1: switch: \w+ 1 → 2 iterations \(gradient cosine \S+ < 0.9995\)\n/,
    );
    assertMatch(made.stdout, /\nstep 6\/6 .* mgrit 2\/2 +ρ /);

    const serial = await run(folder, "train", [
      ...common,
      ..."--solver serial --out serial".split(" "),
    ]);
    assertEquals(serial.code, 0, serial.stderr);
    assertStringIncludes(serial.stdout, "solver  serial\n");

    const contradiction = await run(folder, "train", [
      ..."--resume run --steps 9 --backward-iterations 3".split(" "),
    ]);
    assertEquals(contradiction.code, 2);
    assertStringIncludes(
      contradiction.stderr,
      "--backward-iterations 3 contradicts --resume: run has 1",
    );
    const resumed = await run(folder, "train", [
      ..."--resume run --steps 9 --probe-every 3".split(" "),
      ..."--policy fixed --reference serial".split(" "),
    ]);
    assertEquals(resumed.code, 0, resumed.stderr);
    // What control made of the iterations holds in the new session too.
    assertStringIncludes(resumed.stdout, " 2 iterations forward, 2 iterations");
    assertStringIncludes(resumed.stdout, "; probe every 3\n");
    const events = await readMetrics(`${folder}/run`);
    const stepsOf = (kind: string) =>
      events.filter(({ type }) => type === kind).map(({ step }) => step);
    assertEquals(stepsOf("probe"), [1, 3, 5, 7]);
    assertEquals(stepsOf("switch"), [1, 1]);

    const report = await Deno.readTextFile(`${folder}/run/report.html`);
    for (const text of ["Multigrid over the layers", "serial, validation"]) {
      assertStringIncludes(report, text);
    }
    assert(!/NaN|undefined|Infinity/.test(report));
    const plain = await Deno.readTextFile(`${folder}/serial/report.html`);
    assert(!plain.includes("Multigrid over"));

    const last = await run(folder, "train", [
      ..."--resume run --steps 10 --solver serial".split(" "),
    ]);
    assertEquals(last.code, 0, last.stderr);
    assertStringIncludes(last.stdout, "solver  serial\n");
    // After serial steps control begins anew, with other iterations if wished.
    const again = await run(folder, "train", [
      ..."--resume run --steps 11 --solver mgrit --guess skip".split(" "),
      ..."--levels 1,2 --forward-iterations 0 --backward-iterations 2".split(
        " ",
      ),
    ]);
    assertEquals(again.code, 0, again.stderr);
    const written = await run(folder, "generate", [
      ..."--from run --prompt the --count 5".split(" "),
    ]);
    assertEquals(written.code, 0, written.stderr);
    assert(written.stdout.startsWith("the"));
  }));

Deno.test("a run from before there were solvers goes on serially", () =>
  inFolder(async (folder) => {
    const args = tiny.join(" ").replace("--layers 1", "--layers 8").split(" ");
    const made = await run(folder, "train", [
      ...args,
      ..."--solver serial --steps 2 --out run".split(" "),
      ..."--before 0 --after 0 --end-time 8".split(" "),
    ]);
    assertEquals(made.code, 0, made.stderr);
    const path = `${folder}/run/checkpoints/step-000002/manifest.json`;
    const manifest = JSON.parse(await Deno.readTextFile(path));
    const { options } = manifest.settings;
    for (
      const name of ["solver", "before", "after", "endTime", "coarsening"]
    ) {
      assert(name in options, name);
      delete options[name];
    }
    await Deno.writeTextFile(path, JSON.stringify(manifest));
    const resumed = await run(folder, "train", [
      ..."--resume run --steps 3".split(" "),
    ]);
    assertEquals(resumed.code, 0, resumed.stderr);
    assertStringIncludes(resumed.stdout, "solver  serial\n");
  }));
