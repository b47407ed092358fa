/**
 * Propagators that take steps one after the other or, stacked, all steps of a
 * sweep in one batched call.
 *
 * @module
 */

import { scope, type Tree } from "../tensor/internal.ts";
import type { Level } from "./hierarchy.ts";
import { type LayerRow, layersOf, singleLayer } from "./layer_row.ts";
import type { Propagator } from "./propagator.ts";
import { type Section, sectionAt } from "./section.ts";
import { stackStates, unstackStates } from "./stacked_states.ts";

/**
 * How the independent steps of a sweep are taken: one after the other, or as
 * one batched call whose leading axis is the intervals. The numbers are the same
 * to rounding.
 */
export type Execution = "sequential" | "stacked";

/** Where a step of a level is: its layer, and how many layers it stands for. */
export interface StepPlace {
  /** The layer whose parameters it takes. */
  readonly layer: number;
  /** Its size in steps of the finest level. */
  readonly stride: number;
}

/** The place of the step from point n of a level. */
export type PlaceOf = (level: Level, n: number) => StepPlace;

/**
 * The steps of a row of layers, each of `stride` · h. With more than one layer
 * the state has a leading axis, in the order of the layers.
 */
export type RowStep<X> = (
  x: X,
  row: LayerRow,
  stride: number,
  level: Level,
) => X;

/** Forward in time. */
export const forwardPlace: PlaceOf = ({ points }, n) => ({
  layer: points[n],
  stride: points[n + 1] - points[n],
});

/** Backward in time: point j of the adjoint's chain is point N − j. */
export function adjointPlace(layers: number): PlaceOf {
  return ({ points }, n) => ({
    layer: layers - points[n + 1],
    stride: points[n + 1] - points[n],
  });
}

/** What a propagator is made of. */
export interface RowPropagatorOptions<X extends Tree> {
  /** Whether steps are taken together. */
  readonly execution: Execution;
  /** Where they are. */
  readonly placeOf: PlaceOf;
  /** Takes those of a row. */
  readonly step: RowStep<X>;
  /** No row has layers of two of them. */
  readonly sections?: readonly Section[];
}

/** Takes the steps of a sweep by rows of layers. */
export function rowPropagator<X extends Tree>(
  { execution, placeOf, step, sections }: RowPropagatorOptions<X>,
): Propagator<X> {
  const single: Propagator<X> = (level, steps) =>
    steps.map(({ n, from }) => {
      const { layer, stride } = placeOf(level, n);
      return scope(() => step(from, singleLayer(layer), stride, level));
    });
  if (execution === "sequential") return single;
  return (level, steps) => {
    if (steps.length === 1) return single(level, steps);
    const places = steps.map(({ n }) => placeOf(level, n));
    return evenRuns(places, sections).flatMap(([start, end]) => {
      const part = steps.slice(start, end);
      if (part.length === 1) return single(level, part);
      const { layer, stride } = places[start];
      const spacing = places[start + 1].layer - layer;
      // The adjoint goes down the layers; rows go up.
      const turn = <T>(list: T[]): T[] => spacing < 0 ? list.reverse() : list;
      const row = {
        first: spacing < 0 ? places[end - 1].layer : layer,
        spacing: Math.abs(spacing),
        count: part.length,
      };
      const takeTogether = (): X[] => {
        const states = stackStates(turn(part.map(({ from }) => from)));
        return unstackStates(step(states, row, stride, level), row.count);
      };
      return turn(scope(() => explained(row, takeTogether)));
    });
  };
}

/** Says where a leading axis comes from that a block can't deal with. */
function explained<T>(row: LayerRow, takeTogether: () => T): T {
  try {
    return takeTogether();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(
      `solve: layers ${layersOf(row).join(", ")} as one stacked call: ` +
        `${error.message}. If it is for the leading axis of ${row.count} layers ` +
        `that states and parameters have there, make the block's functions work ` +
        `with it, or set execution to "sequential"`,
      { cause: error },
    );
  }
}

/**
 * Where runs of evenly spaced places of one step size, and in one section, begin
 * and end.
 */
function evenRuns(
  places: readonly StepPlace[],
  sections: readonly Section[] | undefined,
): [number, number][] {
  const runs: [number, number][] = [];
  const starts = sections &&
    places.map(({ layer }) => sectionAt(sections, layer).start);
  for (let start = 0; start < places.length;) {
    const spacing = places[start + 1]?.layer - places[start].layer;
    let end = start + 1;
    while (
      end < places.length && places[end].stride === places[start].stride &&
      places[end].layer - places[end - 1].layer === spacing &&
      starts?.[end] === starts?.[start]
    ) end++;
    runs.push([start, end]);
    start = end;
  }
  return runs;
}
