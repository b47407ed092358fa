/**
 * The innermost loop of maps and reductions, and the odometer that turns around
 * it.
 *
 * @module
 */

import type { Elementwise, Expression } from "../expression.ts";
import {
  type FunctionBuilder,
  i32,
  type Local,
  scalar,
  type Value,
} from "./assembler.ts";
import { walks } from "../layout.ts";
import {
  advance,
  evaluate,
  hoist,
  inputsOf,
  type Known,
  loadElement,
  loadGroup,
  loadRepeated,
  type Operand,
  valueOf,
} from "./program.ts";

/** Whether any operand of a loop is walked with a stride. */
export function isStrided(operands: readonly Operand[]): boolean {
  return operands.some(({ walk }) => walk === walks.strided);
}

/**
 * Takes what one step of the loop computes: the outputs of each of its vectors.
 * V8 pairs vectors only where all of them are loaded before one is stored, so
 * iterate to the end before storing.
 */
export type Consume = (outputs: Iterable<readonly Value[]>) => void;

/** How a loop over elements is cut into vectors. */
export interface Steps {
  /** Vectors that the main loop handles at a time. */
  readonly groups: number;
  /** Takes the outputs of `groups` vectors. */
  readonly block: Consume;
  /** Takes the outputs of one vector. */
  readonly vector: Consume;
  /** Takes the outputs of one element, in lane 0; other lanes mean nothing. */
  readonly element: Consume;
}

/** Emits the program for elements at the current place of its inputs. */
export interface Evaluator {
  /**
   * The outputs of `count` vectors, from the current elements on, each emitted
   * when the iteration gets there.
   */
  groups(count: number): Iterable<readonly Value[]>;
  /** The outputs of the current elements, in lane 0. */
  element(): readonly Value[];
}

/**
 * Loads what is the same for all elements, computes what follows from that, and
 * returns what emits the rest.
 */
export function evaluator(
  f: FunctionBuilder,
  program: Elementwise,
  known: Known,
  inputs: readonly Operand[],
): Evaluator {
  const used = inputsOf(program);
  const repeated = new Map(known);
  for (const expression of used) {
    const operand = inputs[expression.value];
    if (operand.walk === walks.repeated) {
      repeated.set(expression, loadRepeated(f, operand));
    }
  }
  const fixed = hoist(f, program.outputs, repeated);
  const moving = used.filter((expression) => !repeated.has(expression));
  const load = (
    loadOne: (operand: Operand) => Value,
  ): Map<Expression, Value> =>
    new Map(moving.map((x) => [x, loadOne(inputs[x.value])]));
  const compute = (loaded: Map<Expression, Value>): readonly Value[] => {
    const all = new Map([...fixed, ...loaded]);
    const values = evaluate(f, program.outputs, all);
    return program.outputs.map((output) => valueOf(values, output));
  };
  return {
    *groups(count): Iterable<readonly Value[]> {
      for (let group = 0; group < count; group++) {
        yield compute(load((operand) => loadGroup(f, operand, group)));
      }
    },
    element: () => compute(load((operand) => loadElement(f, operand))),
  };
}

/**
 * Emits a loop over `count` (i32) elements that evaluates the program and hands
 * over the outputs. Nothing beyond the elements is read. Afterwards all
 * pointers have advanced by `count` elements.
 */
export function elementLoop(
  f: FunctionBuilder,
  program: Elementwise,
  known: Known,
  inputs: readonly Operand[],
  outputs: readonly Operand[],
  count: Value,
  steps: Steps,
): void {
  const compute = evaluator(f, program, known, inputs);
  const operands = [...inputs, ...outputs];
  const left = f.let(count);
  const step = (elements: number, body: () => void): void => {
    f.while(scalar("i32.ge_s", left, i32(elements)), () => {
      body();
      for (const operand of operands) advance(f, operand, elements);
      f.add(left, -elements);
    });
  };
  const groups = isStrided(operands) ? 1 : steps.groups;
  if (groups > 1) {
    step(4 * groups, () => steps.block(compute.groups(groups)));
  }
  step(4, () => steps.vector(compute.groups(1)));
  step(1, () => steps.element([compute.element()]));
}

/** An operand's pointer and how the loops around the innermost move it. */
interface Wheel {
  readonly pointer: Local;
  /** Its place in the table. */
  readonly place: number;
}

/**
 * Loops around the innermost one, that a table describes; see `writeTable`.
 * Pointers move by one addition, and a little more where an axis wraps.
 */
export class Odometer {
  #f: FunctionBuilder;
  #table: Value;
  #rank: number;
  #places: number;
  #wheels: readonly Wheel[];
  #counters: Local[];
  #extents: Local[];
  #steps: Local[];

  /** Reads the part of the table that is needed in every turn. */
  constructor(
    f: FunctionBuilder,
    table: Value,
    rank: number,
    places: number,
    wheels: readonly Wheel[],
  ) {
    this.#f = f;
    this.#table = table;
    this.#rank = rank;
    this.#places = places;
    this.#wheels = wheels;
    this.#counters = Array.from({ length: rank }, () => f.local("i32"));
    this.#extents = Array.from(
      { length: rank },
      (_, axis) => f.let(f.load("i32", table, this.#at(axis))),
    );
    this.#steps = rank === 0
      ? []
      : wheels.map(({ place }) =>
        f.let(f.loadPointer(table, this.#stepAt(rank - 1, place)))
      );
  }

  #at(axis: number): number {
    return 8 * axis * (1 + 2 * this.#places);
  }

  #strideAt(axis: number, place: number): number {
    return this.#at(axis) + 8 + 16 * place;
  }

  #stepAt(axis: number, place: number): number {
    return this.#strideAt(axis, place) + 8;
  }

  /** How often the innermost loop has turned: an i32. */
  get innermost(): Local {
    return this.#counters[this.#rank - 1];
  }

  /** Product of the extents, as an i32. */
  size(): Value {
    return this.#extents.reduce<Value>(
      (size, extent) => scalar("i32.mul", size, extent),
      i32(1),
    );
  }

  /** Moves the pointers from iteration 0 to iteration `position` (an i32). */
  seek(position: Value): void {
    const f = this.#f;
    const rest = f.let(position);
    for (let axis = this.#rank - 1; axis >= 0; axis--) {
      const counter = this.#counters[axis];
      if (axis === 0) f.set(counter, rest);
      else {
        f.set(counter, scalar("i32.rem_u", rest, this.#extents[axis]));
        f.set(rest, scalar("i32.div_u", rest, this.#extents[axis]));
      }
      for (const { pointer, place } of this.#wheels) {
        const stride = f.loadPointer(
          this.#table,
          this.#strideAt(axis, place),
        );
        f.add(pointer, f.times(counter, stride));
      }
    }
  }

  /** Sets the counters to iteration 0, where the pointers must be. */
  reset(): void {
    for (const counter of this.#counters) this.#f.set(counter, i32(0));
  }

  /** Moves on by one iteration. */
  next(): void {
    if (this.#rank === 0) return;
    const f = this.#f;
    const turn = (axis: number): void => {
      const counter = this.#counters[axis];
      f.add(counter, 1);
      const wrap = (): void => {
        f.set(counter, i32(0));
        for (const { pointer, place } of this.#wheels) {
          const step = this.#stepAt(axis - 1, place);
          f.add(pointer, f.loadPointer(this.#table, step));
        }
        turn(axis - 1);
      };
      if (axis > 0) {
        f.if(scalar("i32.eq", counter, this.#extents[axis]), wrap);
      }
    };
    this.#wheels.forEach(({ pointer }, at) => f.add(pointer, this.#steps[at]));
    turn(this.#rank - 1);
  }
}
