/**
 * The multigrid cycle in its full approximation form (FAS, Brandt 1977; MGRIT,
 * Falgout et al. 2014).
 *
 * @module
 */

import { type Level, pointsFrom } from "./hierarchy.ts";
import type { Cycle } from "./multigrid_options.ts";
import {
  type Arithmetic,
  changes,
  type Grid,
  relax,
  stepTo,
  store,
} from "./relaxation.ts";
import type { Transfer } from "./state_space.ts";
import type { Recorder } from "./sweep.ts";

/** What a cycle works with. */
export interface Multigrid<X> extends Arithmetic<X> {
  /** Finest first. */
  readonly levels: readonly Level[];
  /** ν of each level: FC-sweeps before the F-relaxation. */
  readonly fcSweeps: readonly number[];
  /** ω of each level: weight of the C-relaxation. */
  readonly weights: readonly number[];
  /** Sweeps over the coarsest level in a cycle; a serial march if absent. */
  readonly coarseSweeps?: number;
  /** How states of each level become states of the next, and back. */
  readonly transfers: readonly Transfer<X>[];
  /** Takes note of every sweep. */
  readonly record: Recorder;
}

/**
 * One cycle from a level downwards: relax, restrict, solve the coarser
 * equations, correct the C-points. F-points are stale afterwards, until the
 * next F-relaxation.
 *
 * In an F-cycle the coarser equations are solved by an F-cycle and one V-cycle
 * more.
 *
 * @param onResidual Sees the residual at the C-points, after relaxation and
 *   before correction.
 */
export function runCycle<X>(
  multigrid: Multigrid<X>,
  grid: Grid<X>,
  cycle: Cycle,
  onResidual?: (residual: readonly X[]) => void,
): void {
  const { levels, fcSweeps, record } = multigrid;
  const { index } = grid.level;
  for (let sweep = 0; sweep < fcSweeps[index]; sweep++) {
    relaxF(multigrid, grid);
    relaxC(multigrid, grid);
  }
  relaxF(multigrid, grid);
  const residual = record("residual", index, () => {
    const found = residualAtC(multigrid, grid);
    onResidual?.(found);
    return found;
  });
  const coarse = record(
    "restriction",
    index + 1,
    () => restrict(multigrid, grid, residual, levels[index + 1]),
  );
  if (index + 2 === levels.length) {
    solveCoarsest(multigrid, coarse, multigrid.coarseSweeps);
  } else {
    runCycle(multigrid, coarse, cycle);
    if (cycle === "F") runCycle(multigrid, coarse, "V");
    relaxF(multigrid, coarse);
  }
  record("correction", index, () => correct(multigrid, grid, coarse));
}

/** F-relaxation: every interval marches from its C-point through its F-points. */
function relaxF<X>(multigrid: Multigrid<X>, grid: Grid<X>): void {
  const { index, finePoints } = grid.level;
  multigrid.record(
    "F-relaxation",
    index,
    () => relax(multigrid, grid, finePoints),
  );
}

/** C-relaxation: every C-point but the first, from the point before it. */
function relaxC<X>(multigrid: Multigrid<X>, grid: Grid<X>): void {
  const { index, coarsePoints } = grid.level;
  multigrid.record(
    "C-relaxation",
    index,
    () => relax(multigrid, grid, coarsePoints, multigrid.weights[index]),
  );
}

/** r = Φ(uᵢ₋₁) + fᵢ − uᵢ at the C-points i > 0; at F-points it is zero. */
function residualAtC<X>(arithmetic: Arithmetic<X>, grid: Grid<X>): X[] {
  const points = grid.level.coarsePoints;
  const values = stepTo(arithmetic, grid, points);
  const residual = changes(arithmetic, grid, points, values);
  values.forEach(arithmetic.space.dispose);
  return residual;
}

/** The coarser grid, and the C-points that it starts from. */
interface CoarseGrid<X> extends Grid<X> {
  readonly v: readonly X[];
  readonly f: readonly X[];
}

/**
 * The equations of the coarser level: v is u at the C-points, and fⱼ = rⱼ + vⱼ
 * − Φ(vⱼ₋₁), so that v solves them once the residual is zero. Frees the
 * residual.
 */
function restrict<X>(
  { space, propagator, transfers }: Multigrid<X>,
  { level: { index, coarsePoints }, u }: Grid<X>,
  residual: readonly X[],
  level: Level,
): CoarseGrid<X> {
  const transfer = transfers[index];
  const v = transfer.restrict([0, ...coarsePoints].map((i) => u[i]));
  const r = transfer.restrict(residual);
  const stepped = propagator(
    level,
    r.map((_, n) => ({ n, from: v[n] })),
  );
  const differences = space.axpy(-1, stepped, v.slice(1));
  const sums = space.axpy(1, r, differences);
  [...residual, ...r, ...stepped, ...differences].forEach(space.dispose);
  // At point 0 there is no equation: the first state is given.
  return { level, v, f: [v[0], ...sums], u: v.map(space.copy) };
}

/**
 * The serial march: what remains sequential. Or some sweeps over all points at
 * once, each of them a step from its left neighbour.
 */
function solveCoarsest<X>(
  multigrid: Multigrid<X>,
  grid: Grid<X>,
  sweeps?: number,
): void {
  const { index, steps } = grid.level;
  const points = pointsFrom(1, steps, 1);
  multigrid.record("coarse solve", index, () => {
    if (sweeps === undefined) {
      relax(multigrid, grid, points);
      pack(multigrid, grid, points);
      return;
    }
    for (let sweep = 0; sweep < sweeps; sweep++) {
      store(multigrid, grid, points, stepTo(multigrid, grid, points));
    }
  });
}

/** Brings states together that a march left each in a place of its own. */
function pack<X>(
  { space }: Arithmetic<X>,
  { u }: Grid<X>,
  points: readonly number[],
): void {
  const packed = space.pack?.(points.map((i) => u[i]));
  packed?.forEach((state, k) => u[points[k]] = state);
}

/** u ← u + (coarse u − v) at the C-points. Frees the coarser grid. */
function correct<X>(
  multigrid: Multigrid<X>,
  grid: Grid<X>,
  { u, v, f }: CoarseGrid<X>,
): void {
  const { space, transfers } = multigrid;
  const { index, coarsePoints } = grid.level;
  const coarse = space.axpy(-1, v.slice(1), u.slice(1));
  const corrections = transfers[index].interpolate(coarse);
  const old = coarsePoints.map((i) => grid.u[i]);
  store(multigrid, grid, coarsePoints, space.axpy(1, corrections, old));
  [...coarse, ...corrections, ...u, ...v, ...f.slice(1)].forEach(space.dispose);
}

/**
 * Nested iteration: the C-points of the finest level from a march on the
 * coarsest, with F-relaxation on the levels between, and a V-cycle before it if
 * wanted. Reads the first state only.
 */
export function solveNested<X>(
  multigrid: Multigrid<X>,
  grid: Grid<X>,
  withCycles: boolean,
): void {
  const { space, levels, transfers } = multigrid;
  const { index, coarsePoints } = grid.level;
  const level = levels[index + 1];
  const coarse: Grid<X> = { level, u: new Array<X>(level.steps + 1) };
  [coarse.u[0]] = transfers[index].restrict([grid.u[0]]);
  if (index + 2 === levels.length) {
    solveCoarsest(multigrid, coarse);
  } else {
    solveNested(multigrid, coarse, withCycles);
    if (withCycles) runCycle(multigrid, coarse, "V");
    relaxF(multigrid, coarse);
  }
  const values = transfers[index].interpolate(coarse.u.slice(1));
  store(multigrid, grid, coarsePoints, values);
  coarse.u.forEach(space.dispose);
}
