/**
 * Compares solves with the golden MGRIT data.
 *
 * @module
 */

import {
  type Execution,
  type Solution,
  solveAdjoint,
  solveForward,
} from "../../mgrit/mod.ts";
import * as t from "../../tensor/mod.ts";
import { type Arrays, check } from "../golden_case.ts";
import {
  type Backward,
  type Configuration,
  type Golden,
  host,
  optionsOf,
  prepare,
  type Prepared,
  type Values,
} from "./golden_problems.ts";

/** How far results may be off. */
export interface Tolerances {
  /** ‖a − b‖ of states, in units of the trajectory's norm. */
  states: number;
  /** ‖a − b‖ of gradients, in units of the gradient's norm. */
  gradient: number;
  /** Of residual norms: in units of the reference. */
  residual: number;
  /** Of residual norms: in units of the trajectory's norm. */
  residualFloor: number;
  /** Of layers' gradients, in units of the largest. */
  layer: number;
}

export function norm(x: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] ** 2;
  return Math.sqrt(sum);
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  check(a.length === b.length, `${a.length} elements, not ${b.length}`);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}

function join(parts: readonly Values[]): Values {
  const result = new Float64Array(
    parts.reduce((size, part) => size + part.length, 0),
  );
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

export async function hostAll(states: readonly t.Tensor[]): Promise<Values> {
  return join(await Promise.all(states.map(host)));
}

export function near(
  what: string,
  actual: number,
  expected: number,
  by: number,
): void {
  check(
    Math.abs(actual - expected) <= by,
    `${what}: ${actual} differs from ${expected} by more than ${by}`,
  );
}

/** Part k of `values` cut into `count` equal parts. */
function part(
  values: ArrayLike<number>,
  count: number,
  k: number,
): ArrayLike<number> {
  const size = values.length / count;
  return Array.prototype.slice.call(values, k * size, (k + 1) * size);
}

/** Compares what two lists of norms say, leaving out skipped cycles. */
async function checkResiduals(
  what: string,
  solution: Solution<t.Tensor>,
  expected: readonly (number | null)[],
  unit: number,
  by: Tolerances,
): Promise<void> {
  const actual = await Promise.all(solution.residuals);
  // The reference counts iterations of the serial march, which has none.
  if (actual.length === 0) {
    check(expected.every((x) => x === 0), `${what}: residuals`);
    return;
  }
  check(actual.length === expected.length, `${what}: number of residuals`);
  for (const [k, residual] of actual.entries()) {
    const reference = expected[k];
    if (residual === null || reference === null) {
      check(residual === reference, `${what}: residual ${k} is ${residual}`);
      continue;
    }
    near(
      `${what}: residual ${k}`,
      residual,
      reference,
      by.residual * reference + by.residualFloor * unit,
    );
  }
}

/** One problem on the current device. */
export class Checker {
  readonly golden: Golden;
  readonly arrays: Arrays;
  readonly prepared: Prepared;
  readonly by: Tolerances;
  readonly parameters: string[];

  constructor(
    golden: Golden,
    arrays: Arrays,
    by: Tolerances,
    execution: Execution,
  ) {
    this.golden = golden;
    this.arrays = arrays;
    this.prepared = prepare(golden, arrays, execution);
    this.by = by;
    this.parameters = Object.keys(golden.params);
  }

  array(name: string): ArrayLike<number> | undefined {
    return this.arrays[`${this.golden.name}/${name}`]?.values;
  }

  serial(name: string): ArrayLike<number> {
    const values = this.array(`serial.${name}`);
    check(values !== undefined, `serial.${name} is missing`);
    return values;
  }

  /** Not tighter than the reference's storage. */
  #stored(name: string, tolerance: number): number {
    const { dtype } = this.arrays[`${this.golden.name}/${name}`];
    return dtype === "f32" ? Math.max(tolerance, 2e-7) : tolerance;
  }

  /** Compares an array with the reference, where there is one. */
  compare(
    name: string,
    actual: ArrayLike<number>,
    tolerance: number,
    k?: number,
  ): void {
    const whole = this.array(name);
    if (whole === undefined) return;
    const count = this.arrays[`${this.golden.name}/${name}`].shape[0];
    const expected = k === undefined ? whole : part(whole, count, k);
    near(
      `${name} ${k ?? ""}`,
      distance(actual, expected),
      0,
      this.#stored(name, tolerance) * norm(expected),
    );
  }

  async forward(configuration: Configuration): Promise<Solution<t.Tensor>[]> {
    const { golden: { N, loss }, by, prepared } = this;
    const { problem, x0 } = prepared;
    const target = await host(prepared.target);
    const reference = this.serial("u");
    const size = reference.length / (N + 1);
    const serialOutput = part(reference, N + 1, N);
    const solutions: Solution<t.Tensor>[] = [];
    for (const [index, expected] of configuration.fwd.entries()) {
      const iterations = index + 1;
      const what = `${configuration.id} forward ${iterations}`;
      const solution = solveForward(
        problem,
        x0,
        optionsOf(configuration, iterations),
      );
      solutions.push(solution);
      const [u, x] = await Promise.all(
        [solution.states, solution.inputs].map(hostAll),
      );
      const output = u.subarray(N * size);
      const unit = expected.uNorm;
      const norms = configuration.fwd.slice(0, iterations).map(({ rnorm }) =>
        rnorm
      );
      await checkResiduals(what, solution, norms, unit, by);
      // With F-relaxation the next iteration measures the same.
      const next = configuration.fwd[iterations]?.rnorm;
      if (next && configuration.nrelax[0] === 0) {
        near(
          `${what}: final residual`,
          await solution.finalResidual ?? NaN,
          next,
          by.residual * next + by.residualFloor * unit,
        );
      }
      near(`${what}: uNorm`, norm(u.subarray(size)), unit, by.states * unit);
      near(
        `${what}: outNorm`,
        norm(output),
        expected.outNorm,
        by.states * unit,
      );
      near(
        `${what}: outRelErr`,
        distance(output, serialOutput) / norm(serialOutput),
        expected.outRelErr,
        2 * by.states * unit / norm(serialOutput),
      );
      const serialInputs = part(reference, 1, 0);
      const before = Array.from(serialInputs).slice(0, N * size);
      near(
        `${what}: xRelErr`,
        distance(x, before) / norm(before),
        expected.xRelErr,
        2 * by.states * unit / norm(before),
      );
      const batch = this.golden.state[0];
      near(
        `${what}: loss`,
        distance(output, target) ** 2 / (2 * batch),
        expected.loss,
        4 * by.states * unit * (distance(output, target) + by.states * unit) /
            batch + 1e-15 * loss,
      );
      const { id, cf } = configuration;
      this.compare(`${id}/fwd.u`, u, by.states, index);
      this.compare(`${id}/fwd.x`, x, by.states, index);
      const c = this.array(`${id}/fwd.c`);
      if (c !== undefined) {
        const points = part(c, 6, index);
        const before = x.length / size;
        for (let i = 0; i * cf < before; i++) {
          near(
            `${what}: C-point ${i}`,
            distance(
              x.subarray(i * cf * size, (i * cf + 1) * size),
              Array.from(points).slice(i * size, (i + 1) * size),
            ),
            0,
            this.#stored(`${id}/fwd.c`, by.states) * unit,
          );
        }
      }
    }
    return solutions;
  }

  async backward(
    configuration: Configuration,
    pair: string,
    forward: Pick<Solution<t.Tensor>, "inputs" | "states">,
    expected: Backward,
    linearization: string,
  ): Promise<void> {
    const { golden, by, prepared: { problem, target, unpack } } = this;
    const { N } = golden;
    const [kf, kb] = pair.split(",").map(Number);
    const { id } = configuration;
    const what = `${id} ${linearization} backward ${pair}`;
    const output = forward.states[N];
    const cotangent = t.mul(t.sub(output, target), 1 / golden.state[0]);
    const solution = solveAdjoint(
      problem,
      forward,
      cotangent,
      optionsOf(configuration, kb),
    );
    const [gradient, w, wIn] = await Promise.all([
      unpack(solution.parameters),
      hostAll([...solution.states].reverse()),
      hostAll([...solution.inputs].reverse()),
    ]);
    const unit = norm(w);
    const { rnorms } = expected;
    if (rnorms !== undefined) {
      await checkResiduals(what, solution, rnorms, unit, by);
    }
    const size = w.length / (N + 1);
    near(
      `${what}: x0GradNorm`,
      norm(w.subarray(0, size)),
      expected.x0GradNorm,
      by.gradient * expected.x0GradNorm + by.states * unit,
    );
    const names = this.parameters;
    const mine = join(names.map((name) => gradient[name]));
    const serial = join(
      names.map((name) => Float64Array.from(this.serial(`grad.${name}`))),
    );
    near(
      `${what}: gradNorm`,
      norm(mine),
      expected.gradNorm,
      by.gradient * expected.gradNorm,
    );
    const serialBy =
      names.some((name) =>
          this.arrays[`${golden.name}/serial.grad.${name}`].dtype === "f32"
        )
        ? 2e-7
        : 1e-13;
    const relative = (by.gradient * norm(mine) + serialBy * norm(serial)) /
      norm(serial);
    near(
      `${what}: gradRelErr`,
      distance(mine, serial) / norm(serial),
      expected.gradRelErr,
      2 * relative,
    );
    if (expected.gradCos !== undefined) {
      const dot = mine.reduce((sum, g, i) => sum + g * serial[i], 0);
      near(
        `${what}: gradCos`,
        dot / norm(mine) / norm(serial),
        expected.gradCos,
        2 * (by.gradient + serialBy),
      );
    }
    const largest = Math.max(...expected.layerGradNorm);
    for (let layer = 0; layer < N; layer++) {
      const squares = names.map((name) =>
        norm(part(gradient[name], N, layer)) ** 2
      );
      near(
        `${what}: layerGradNorm ${layer}`,
        Math.sqrt(squares.reduce((a, b) => a + b, 0)),
        expected.layerGradNorm[layer],
        by.layer * largest,
      );
    }
    if (linearization === "") {
      const prefix = `${id}/bwd.${kf}.${kb}`;
      this.compare(`${prefix}.w`, w, by.gradient);
      this.compare(`${prefix}.wIn`, wIn, by.gradient);
      // Leaves together: the gradient by the keys' bias is zero but for rounding.
      const stored = names.map((name) => this.array(`${prefix}.grad.${name}`));
      if (stored.every((values) => values !== undefined)) {
        const reference = join(stored.map((x) => Float64Array.from(x)));
        const first = `${prefix}.grad.${names[0]}`;
        near(
          `${prefix}.grad`,
          distance(mine, reference),
          0,
          this.#stored(first, by.gradient) * norm(reference),
        );
      }
    }
    for (const x of [...solution.states, ...solution.inputs, cotangent]) {
      x.dispose();
    }
    t.dispose(solution.parameters);
  }

  /** Solves forward and backward as a configuration says. */
  async solve(configuration: Configuration): Promise<void> {
    const solutions = await this.forward(configuration);
    for (const [pair, expected] of Object.entries(configuration.bwd)) {
      const forward = solutions[Number(pair.split(",")[0]) - 1];
      await this.backward(configuration, pair, forward, expected, "");
    }
    for (
      const [key, expected] of Object.entries(configuration.variants ?? {})
    ) {
      const [kind, pair] = key.split(";");
      const { inputs, states } = solutions[Number(pair.split(",")[0]) - 1];
      const [fine, coarse] = kind.split(",");
      const about: Record<string, readonly t.Tensor[]> = {
        x: inputs,
        u: states,
      };
      await this.backward(
        configuration,
        pair,
        { inputs: about[fine], states: [...about[coarse], states.at(-1)!] },
        expected,
        kind,
      );
    }
    for (const { states, inputs } of solutions) {
      for (const x of [...states, ...inputs]) x.dispose();
    }
  }
}
