/**
 * The tape: records primitive operations as they are applied and runs their
 * rules backward.
 *
 * @module
 */

import {
  add,
  empty,
  isFloat,
  observed,
  type Observer,
  type Operation,
  scope,
  type Tensor,
  withoutScope,
} from "../tensor/internal.ts";
import { placesOf, settle } from "./places.ts";
import { type Rule, ruleOf } from "./rule.ts";

/** One applied operation, with what its rule needs. */
interface Entry {
  readonly operation: Operation<unknown>;
  readonly rule: Rule<unknown> | undefined;
  readonly attributes: unknown;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** Which inputs depend on the tape's inputs. */
  readonly wanted: readonly boolean[];
  /** Handles that keep memory alive for the rule. */
  readonly held: readonly Tensor[];
}

/** Memory where cotangents are wanted, by the ids of their tensors. */
type Places = ReadonlyMap<number, Tensor>;

const nowhere: Places = new Map();

/** A cotangent that is being summed up. */
interface Sum {
  tensor: Tensor;
  /** Nobody else sees the tensor, so that it may be added to in place. */
  owned: boolean;
}

/** Records what is computed from its inputs. */
export class Tape implements Observer {
  #tracked = new Set<number>();
  #entries: Entry[] = [];
  #inputIds: readonly number[];

  /** Follows everything that depends on `inputs`. */
  constructor(inputs: readonly Tensor[]) {
    this.#inputIds = inputs.map((x) => x.id);
    for (const id of this.#inputIds) this.#tracked.add(id);
  }

  /** Whether a tensor depends on the tape's inputs. */
  tracks(x: Tensor): boolean {
    return this.#tracked.has(x.id);
  }

  /** Whether cotangents can be asked for several times. */
  get repeatable(): boolean {
    return !this.#entries.some(({ rule }) => rule?.once);
  }

  /** Records an application, if it depends on the tape's inputs. */
  observe<A>(
    operation: Operation<A>,
    inputs: readonly Tensor[],
    outputs: readonly Tensor[],
    attributes: A,
  ): void {
    const wanted = inputs.map((x) =>
      this.#tracked.has(x.id) && isFloat(x.dtype)
    );
    if (!wanted.includes(true)) return;
    if (!outputs.some((x) => isFloat(x.dtype))) return;
    const rule = ruleOf(operation);
    if (rule === "constant") return;
    const saved = rule?.saves(attributes, wanted) ?? {};
    for (const output of outputs) this.#tracked.add(output.id);
    const held: Tensor[] = [];
    const save = (x: Tensor, needed: boolean | undefined): Tensor => {
      if (!needed) return x;
      const handle = x.retain();
      held.push(handle);
      return handle;
    };
    this.#entries.push({
      operation: operation as Operation<unknown>,
      rule: rule as Rule<unknown> | undefined,
      attributes,
      inputs: inputs.map((x, i) => save(x, saved.inputs?.[i])),
      outputs: outputs.map((x, i) => save(x, saved.outputs?.[i])),
      wanted,
      held,
    });
  }

  /** Frees everything; the tape is of no use any more. */
  dispose(): void {
    for (const entry of this.#entries) release(entry);
    this.#entries = [];
  }

  /**
   * Cotangents of the tape's inputs, given those of some outputs; `undefined`
   * where there is no dependence. Frees each entry once its rule ran. The
   * results are in no scope.
   *
   * @param given Where cotangents of inputs shall be, which are no results
   *   then.
   */
  pullback(
    outputs: readonly { readonly id: number }[],
    cotangents: readonly (Tensor | undefined)[],
    given: readonly (Tensor | undefined)[] = [],
  ): (Tensor | undefined)[] {
    const places = this.#places(given);
    try {
      const results = this.#run(
        outputs,
        cotangents,
        this.#inputIds,
        (pull) => {
          for (;;) {
            const entry = this.#entries.pop();
            if (entry === undefined) break;
            try {
              pull(entry);
            } finally {
              release(entry);
            }
          }
        },
        places,
      );
      return results.map((result, i) => {
        const place = given[i];
        if (place === undefined) return result;
        settle(result, place);
        result?.dispose();
      });
    } catch (error) {
      this.dispose();
      throw error;
    } finally {
      for (const place of places.values()) {
        if (!given.includes(place)) place.dispose();
      }
    }
  }

  /** Memory for cotangents, by the ids of their tensors. */
  #places(given: readonly (Tensor | undefined)[]): Places {
    // What a tape watches can't be written behind its back.
    if (given.length === 0 || observed()) return nowhere;
    const byId = new Map<number, Tensor>();
    given.forEach((place, i) => {
      if (place !== undefined) byId.set(this.#inputIds[i], place);
    });
    return placesOf(byId, this.#entries);
  }

  /**
   * As {@linkcode pullback}, for some of the inputs, by their positions: rules
   * that lead to others only don't run. Nothing is freed, so that it can be
   * asked again.
   */
  pullbackTo(
    positions: readonly number[],
    outputs: readonly { readonly id: number }[],
    cotangents: readonly (Tensor | undefined)[],
  ): (Tensor | undefined)[] {
    const ids = positions.map((position) => this.#inputIds[position]);
    const entries = entriesFrom(this.#entries, ids);
    return this.#run(
      outputs,
      cotangents,
      ids,
      (pull) => entries.reverse().forEach(pull),
    );
  }

  #run(
    outputs: readonly { readonly id: number }[],
    cotangents: readonly (Tensor | undefined)[],
    results: readonly number[],
    visit: (pull: (entry: Entry) => void) => void,
    places: Places = nowhere,
  ): (Tensor | undefined)[] {
    const sums = new Sums();
    const inputs = new Set(this.#inputIds);
    try {
      outputs.forEach((output, i) => {
        const cotangent = cotangents[i];
        if (cotangent !== undefined) sums.add(output.id, cotangent);
      });
      visit((entry) => scope(() => pullEntry(entry, sums, inputs, places)));
      return results.map((id) => sums.take(id));
    } finally {
      sums.dispose();
    }
  }
}

/** The entries that depend on some of the inputs, wanting no others. */
function entriesFrom(
  entries: readonly Entry[],
  inputs: readonly number[],
): Entry[] {
  const reached = new Set(inputs);
  return entries.flatMap((entry) => {
    const wanted = entry.wanted.map((isWanted, i) =>
      isWanted && reached.has(entry.inputs[i].id)
    );
    if (!wanted.includes(true)) return [];
    for (const output of entry.outputs) reached.add(output.id);
    return [{ ...entry, wanted }];
  });
}

function release(entry: Entry): void {
  for (const handle of entry.held) handle.dispose("its pullback ran");
  entry.rule?.release?.(entry.attributes);
}

function pullEntry(
  entry: Entry,
  sums: Sums,
  inputs: Set<number>,
  places: Places,
): void {
  const { rule, operation, wanted } = entry;
  // The tape's own inputs keep their sums to the end.
  const arrived = entry.outputs.map(({ id }) =>
    inputs.has(id) ? undefined : sums.take(id)
  );
  if (arrived.every((x) => x === undefined)) return;
  try {
    if (rule === undefined) {
      throw new TypeError(
        `${operation.name} has no gradient rule: gradients of gradients ` +
          `aren't available through it; write that part with elementary ` +
          `operations (matmul, softmax, mul, …)`,
      );
    }
    const [first] = arrived;
    const [input] = entry.inputs;
    if (
      rule.accumulate !== undefined && first !== undefined &&
      first.size !== input.size && !observed()
    ) {
      rule.accumulate(entry, first, sums.writable(input));
      return;
    }
    const placed = places.size === 0
      ? []
      : entry.inputs.map(({ id }) => places.get(id));
    rule.pullback(entry, arrived, placed).forEach((result, i) => {
      if (result !== undefined && wanted[i]) {
        sums.add(entry.inputs[i].id, result);
      }
    });
  } finally {
    arrived.forEach((x) => x?.dispose("its pullback ran"));
  }
}

/** Cotangents by tensor, summed up as they arrive. */
class Sums {
  #sums = new Map<number, Sum>();

  /** Adds a contribution, keeping a handle of its own on it. */
  add(id: number, x: Tensor): void {
    const sum = this.#sums.get(id);
    if (sum === undefined) {
      this.#sums.set(id, { tensor: x.retain(), owned: false });
    } else if (sum.owned && !observed()) {
      x.device.addInto(sum.tensor, x);
    } else {
      const total = add(sum.tensor, x);
      sum.tensor.dispose();
      this.#sums.set(id, { tensor: total.retain(), owned: true });
    }
  }

  /** Frees all sums. */
  dispose(): void {
    for (const { tensor } of this.#sums.values()) tensor.dispose();
    this.#sums.clear();
  }

  /** The sum, to be disposed by the caller. */
  take(id: number): Tensor | undefined {
    const sum = this.#sums.get(id);
    this.#sums.delete(id);
    return sum?.tensor;
  }

  /** The sum of an input's cotangents, that may be written to. */
  writable({ id, shape, dtype, device }: Tensor): Tensor {
    const sum = this.#sums.get(id);
    if (sum?.owned && sum.tensor.contiguous) return sum.tensor;
    const tensor = withoutScope(() => empty(device, dtype, shape, "cotangent"));
    if (sum === undefined) device.fill(tensor, 0);
    else {
      device.assign(tensor, sum.tensor);
      sum.tensor.dispose();
    }
    this.#sums.set(id, { tensor, owned: true });
    return tensor;
  }
}
