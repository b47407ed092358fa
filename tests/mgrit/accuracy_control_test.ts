import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  abandon,
  completeControl,
  type ControlOptions,
  type ControlState,
  convergenceRatio,
  decide,
  defaultControl,
  defaultMultigrid,
  type DirectionProbe,
  directionProbe,
  type DirectionState,
  type GradientProbe,
  isFiniteProbe,
  probeIsDue,
  probeIterations,
  roundOff,
  startControl,
  triedDirections,
} from "../../mgrit/mod.ts";

function multigrid(iterations: number, misses = 0): DirectionState {
  return { serial: false, iterations, misses };
}

function serial(iterations: number, misses = 0): DirectionState {
  return { serial: true, iterations, misses };
}

/** What a solve of 16 intervals found. */
function found(
  ratio?: number,
  more: Partial<DirectionProbe> = {},
): DirectionProbe {
  return {
    iterations: 4,
    residuals: [1, 0.5],
    finalResidual: 0.1,
    exactIterations: 16,
    sweeps: [],
    ...(ratio !== undefined && { ratio }),
    ...more,
  };
}

function gradientOf(cosine: number): GradientProbe {
  const relativeError = Math.sqrt(2 - 2 * cosine);
  return {
    relativeError,
    cosine,
    layers: { relativeError: [relativeError], cosine: [cosine] },
  };
}

function options(more: Partial<ControlOptions> = {}): ControlOptions {
  return completeControl(more);
}

const configured = { forward: 2, backward: 1 };
const start: ControlState = { forward: multigrid(2), backward: multigrid(1) };

Deno.test("control: a run begins as its options say", () => {
  const forward = { ...defaultMultigrid, levels: 1, iterations: 3 };
  assertEquals(startControl({ forward, backward: defaultMultigrid }), {
    forward: serial(3),
    backward: multigrid(1),
  });
});

Deno.test("control: a probe doubles the iterations, to two residuals at least", () => {
  assertEquals(
    [0, 1, 2, 3].map((k) => probeIterations(k, "input")),
    [2, 2, 4, 6],
  );
  // A skipped first cycle has no residual.
  assertEquals([1, 2].map((k) => probeIterations(k, "skip")), [3, 4]);
});

Deno.test("control: probes are due from the first batch on", () => {
  const due = (state: ControlState, more = {}): number[] =>
    [0, 1, 5, 10].filter((batch) =>
      probeIsDue(options({ interval: 5, ...more }), state, configured, batch)
    );
  assertEquals(due(start), [0, 5, 10]);
  assertEquals(due({ forward: serial(2), backward: multigrid(1) }), [0, 5, 10]);
  const both = { forward: serial(2), backward: serial(1) };
  assertEquals(due(both), []);
  assertEquals(due(both, { wayBack: 0.5 }), [0, 5, 10]);
  const locked = { ...serial(2), locked: true } as const;
  assertEquals(
    due({ forward: locked, backward: locked }, { wayBack: 0.5 }),
    [],
  );
});

Deno.test("control: ρ is the last ratio of two residuals", () => {
  const ratio = (residuals: (number | null)[], floor = 0): number | undefined =>
    convergenceRatio({ residuals, exactIterations: 4 }, floor);
  assertEquals(ratio([8, 2, 1]), 0.5);
  assertEquals(ratio([null, 2, 3]), 1.5);
  assertEquals(ratio([null, 2]), undefined);
  assertEquals(ratio([1]), undefined);
  assertEquals(ratio([]), undefined);
  assertEquals(ratio([8, 2, 1, 0.5]), undefined, "exact");
  assertEquals(ratio([8, 1e-3, 9e-4], 1e-3), undefined, "rounding");
  // The residual before it was none.
  assertEquals(ratio([8, 1e-2, 9e-4], 1e-3), 0.09);
  assertEquals(roundOff(2 ** 20, "f32"), 1);
  assertEquals(roundOff(2 ** 49, "f64"), 1);
});

Deno.test("control: what a probe says of a solve", async () => {
  const sweep = { milliseconds: 1, launches: 3 };
  const solve = {
    residuals: [null, Promise.resolve(4), Promise.resolve(1)],
    finalResidual: Promise.resolve(0.5),
    exactIterations: 9,
    // 4 is above the rounding of f64 only.
    scale: Promise.resolve(2 ** 22),
    sweeps: [
      { level: 0, kind: "F-relaxation", steps: 12, ...sweep },
      { level: 1, kind: "coarse solve", steps: 4, ...sweep },
      { level: 0, kind: "F-relaxation", steps: 12, ...sweep },
    ],
  } as const;
  const twice = { milliseconds: 2, launches: 6 };
  const rounding: DirectionProbe = {
    iterations: 3,
    residuals: [null, 4, 1],
    finalResidual: 0.5,
    exactIterations: 9,
    sweeps: [
      { level: 0, kind: "F-relaxation", steps: 24, ...twice },
      { level: 1, kind: "coarse solve", steps: 4, ...sweep },
    ],
  };
  assertEquals(await directionProbe(solve, "f32"), rounding);
  const ratio = 0.25;
  assertEquals(await directionProbe(solve, "f64"), { ...rounding, ratio });
  await assertRejects(
    () => directionProbe({ ...solve, finalResidual: undefined }, "f32"),
    TypeError,
    "weren't measured",
  );
});

Deno.test("control: numbers that are none are found", () => {
  assert(isFiniteProbe(found(0.5, { residuals: [null, 1] })));
  assert(!isFiniteProbe(found(0.5, { residuals: [1, NaN] })));
  assert(!isFiniteProbe(found(0.5, { finalResidual: Infinity })));
  assert(!isFiniteProbe(found(0.5, { gradient: gradientOf(NaN) })));
});

Deno.test("control: good probes change nothing", () => {
  const probe = {
    forward: found(0.2),
    backward: found(),
    gradient: gradientOf(0.95),
  };
  assertEquals(decide(options(), start, probe, configured), {
    state: start,
    switches: [],
  });
});

Deno.test("control: ρ speaks for its own direction", () => {
  const probe = {
    forward: found(0.2),
    backward: found(1),
    gradient: gradientOf(0.99),
  };
  assertEquals(decide(options(), start, probe, configured), {
    state: { forward: multigrid(2), backward: multigrid(2) },
    switches: [{
      direction: "backward",
      from: multigrid(1),
      to: multigrid(2),
      reason: "ratio",
    }],
  });
  assertEquals(
    decide(options({ indicator: "gradient" }), start, probe, configured)
      .switches,
    [],
  );
  assertEquals(
    decide(options({ largestRatio: 1.1 }), start, probe, configured).switches,
    [],
  );
});

Deno.test("control: a wrong gradient speaks in both directions, where ρ is blind", () => {
  const probe = {
    forward: found(0.2),
    backward: found(),
    gradient: gradientOf(0.14),
  };
  const { state, switches } = decide(options(), start, probe, configured);
  assertEquals(state, { forward: multigrid(4), backward: multigrid(2) });
  assertEquals(
    switches.map(({ direction, reason }) => [direction, reason]),
    [["forward", "gradient"], ["backward", "gradient"]],
  );
  assertEquals(
    decide(options({ indicator: "ratio" }), start, probe, configured).switches,
    [],
  );
});

Deno.test("control: a wrong gradient that iterations don't mend: serial", () => {
  const probe = {
    forward: found(0.2),
    backward: found(1.3),
    gradient: gradientOf(0.5),
  };
  const { state, switches } = decide(options(), start, probe, configured);
  assertEquals(state, { forward: multigrid(4), backward: serial(1) });
  assertEquals(
    switches.map(({ reason }) => reason),
    ["gradient", "ratio"],
  );
});

Deno.test("control: doubling ends at the cap, and where it would be exact", () => {
  const after = (
    iterations: number,
    exactIterations: number,
    more: Partial<ControlOptions> = {},
  ): DirectionState =>
    decide(
      options(more),
      { forward: serial(1), backward: multigrid(iterations) },
      { backward: found(1.5, { exactIterations }) },
      configured,
    ).state.backward;
  assertEquals(after(0, 16), multigrid(1));
  assertEquals(after(1, 16), multigrid(2));
  assertEquals(after(3, 16), multigrid(4), "up to the cap");
  assertEquals(after(4, 16), serial(4), "at the cap");
  assertEquals(after(6, 16), serial(6), "beyond it");
  assertEquals(after(4, 16, { mostIterations: 8 }), multigrid(8));
  assertEquals(after(2, 4), serial(2), "as long as the exact solve");
});

Deno.test("control: policies", () => {
  const probe = { forward: found(0.2), backward: found(2) };
  const after = (policy: ControlOptions["policy"]): ControlState =>
    decide(options({ policy }), start, probe, configured).state;
  assertEquals(after("double").backward, multigrid(2));
  assertEquals(after("serial").backward, serial(1));
  assertEquals(after("serial").forward, multigrid(2));
  assertEquals(after("fixed"), start);
});

Deno.test("control: patience counts probes in a row", () => {
  const patient = options({ patience: 2 });
  const bad = { forward: found(0.2), backward: found(1.2) };
  const good = { forward: found(0.2), backward: found(0.9) };
  const run = (...probes: (typeof bad)[]): [DirectionState, number] => {
    let state = start;
    let switches = 0;
    for (const probe of probes) {
      const decision = decide(patient, state, probe, configured);
      state = decision.state;
      switches += decision.switches.length;
    }
    return [state.backward, switches];
  };
  assertEquals(run(bad), [multigrid(1, 1), 0]);
  assertEquals(run(bad, good), [multigrid(1), 0]);
  assertEquals(run(bad, good, bad), [multigrid(1, 1), 0]);
  assertEquals(run(bad, bad), [multigrid(2), 1]);
});

Deno.test("control: the way back", async (t) => {
  const wayBack = options({ wayBack: 0.5 });
  const state = { forward: serial(4), backward: serial(4) };
  const after = (
    probe: DirectionProbe | undefined,
    given = wayBack,
    from: ControlState = state,
  ) => decide(given, from, { forward: probe }, configured);
  const gradient = gradientOf(0.96);
  await t.step("is tried where multigrid was", () => {
    assertEquals(triedDirections(wayBack, state, configured), [
      "forward",
      "backward",
    ]);
    assertEquals(triedDirections(wayBack, state, { backward: 1 }), [
      "backward",
    ]);
    assertEquals(triedDirections(options(), state, configured), []);
    assertEquals(triedDirections(wayBack, start, configured), []);
  });
  await t.step("leads to the configured iterations", () => {
    assertEquals(after(found(0.4, { gradient })), {
      state: { forward: multigrid(2), backward: serial(4) },
      switches: [{
        direction: "forward",
        from: serial(4),
        to: multigrid(2),
        reason: "recovered",
      }],
    });
  });
  await t.step("asks for more than staying does", () => {
    for (
      const probe of [
        found(0.5, { gradient }),
        found(0.4),
        // Halfway from .9 to 1.
        found(0.4, { gradient: gradientOf(0.94) }),
        undefined,
      ]
    ) assertEquals(after(probe), { state, switches: [] });
    // Exact anyway, or nothing but rounding.
    assertEquals(after(found(undefined, { gradient })).switches.length, 1);
  });
  await t.step("with patience", () => {
    const patient = options({ wayBack: 0.5, patience: 2 });
    const first = after(found(0.4, { gradient }), patient);
    assertEquals(first.state.forward, serial(4, 1));
    const second = after(found(0.4, { gradient }), patient, first.state);
    assertEquals(second.state.forward, multigrid(2));
  });
});

Deno.test("control: numbers that are none end multigrid for good", () => {
  const { state, switches } = abandon({
    forward: serial(2, 1),
    backward: multigrid(1, 1),
  });
  const to = { ...serial(1), locked: true as const };
  assertEquals(state, { forward: serial(2, 1), backward: to });
  assertEquals(switches, [
    { direction: "backward", from: multigrid(1, 1), to, reason: "non-finite" },
  ]);
  const wayBack = options({ wayBack: 0.5 });
  assertEquals(triedDirections(wayBack, state, configured), ["forward"]);
});

Deno.test("control: states are plain data", () => {
  const { state } = abandon(start);
  assertEquals(JSON.parse(JSON.stringify(state)), state);
});

Deno.test("control: names an option that is out of range", () => {
  assertEquals(completeControl({ wayBack: undefined }), defaultControl);
  for (
    const [bad, message] of [
      [{ interval: 0 }, "control: interval is 0; it must be an integer ≥ 1"],
      [{ patience: 1.5 }, "patience is 1.5"],
      [{ mostIterations: NaN }, "mostIterations is NaN"],
      [{ largestRatio: 0 }, "largestRatio is 0"],
      [{ smallestCosine: 2 }, "smallestCosine is 2"],
      [{ wayBack: 1.5 }, "wayBack is 1.5; it must be in (0, 1]"],
      [{ policy: "triple" }, "policy is triple; it must be one of double, s"],
      [{ indicator: "none" }, "indicator is none"],
    ] as const
  ) {
    assertThrows(
      () => completeControl(bad as Partial<ControlOptions>),
      RangeError,
      message,
    );
  }
});
