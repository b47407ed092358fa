/**
 * The multigrid cycle in its full approximation form (FAS, Brandt 1977; MGRIT,
 * Falgout et al. 2014).
 *
 * @module
 */

import type { Level } from "./hierarchy.ts";
import {
  type Arithmetic,
  coarsePoints,
  type Grid,
  pointsFrom,
  relaxC,
  relaxF,
  relaxPoints,
  stepTo,
  store,
} from "./relaxation.ts";

/** What a cycle works with. */
export interface Multigrid<X> extends Arithmetic<X> {
  /** Finest first. */
  readonly levels: readonly Level[];
  /** ν of each level: FC-sweeps before the F-relaxation. */
  readonly sweeps: readonly number[];
}

/**
 * One V-cycle from a level downwards: relax, restrict, solve the coarser
 * equations, correct the C-points. F-points are stale afterwards, until the
 * next F-relaxation.
 *
 * @param onResidual Sees the residual at the C-points, after relaxation and
 *   before correction.
 */
export function vCycle<X>(
  multigrid: Multigrid<X>,
  grid: Grid<X>,
  onResidual?: (residual: readonly X[]) => void,
): void {
  const { levels, sweeps } = multigrid;
  const { index } = grid.level;
  for (let sweep = 0; sweep < sweeps[index]; sweep++) {
    relaxF(multigrid, grid);
    relaxC(multigrid, grid);
  }
  relaxF(multigrid, grid);
  const residual = residualAtC(multigrid, grid);
  onResidual?.(residual);
  const coarse = restrict(multigrid, grid, residual, levels[index + 1]);
  if (index + 2 === levels.length) {
    solveCoarsest(multigrid, coarse);
  } else {
    vCycle(multigrid, coarse);
    relaxF(multigrid, coarse);
  }
  correct(multigrid, grid, coarse);
}

/** r = Φ(uᵢ₋₁) + fᵢ − uᵢ at the C-points i > 0; at F-points it is zero. */
function residualAtC<X>(arithmetic: Arithmetic<X>, grid: Grid<X>): X[] {
  const { space } = arithmetic;
  const points = coarsePoints(grid.level);
  return stepTo(arithmetic, grid, points).map((value, k) => {
    const residual = space.axpy(-1, grid.u[points[k]], value);
    space.dispose(value);
    return residual;
  });
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
  { space, propagator }: Arithmetic<X>,
  { level: { factor }, u }: Grid<X>,
  residual: readonly X[],
  level: Level,
): CoarseGrid<X> {
  const points = pointsFrom(0, level.steps, 1);
  const v = points.map((j) => space.copy(u[j * factor]));
  const stepped = propagator(
    level,
    points.slice(1).map((j) => ({ n: j - 1, from: v[j - 1] })),
  );
  const f = points.map((j) => {
    if (j === 0) return v[0]; // no equation: the first state is given
    const difference = space.axpy(-1, stepped[j - 1], v[j]);
    const sum = space.axpy(1, residual[j - 1], difference);
    [stepped[j - 1], residual[j - 1], difference].forEach(space.dispose);
    return sum;
  });
  return { level, v, f, u: v.map(space.copy) };
}

/** The serial march: what remains sequential. */
function solveCoarsest<X>(arithmetic: Arithmetic<X>, grid: Grid<X>): void {
  for (const i of pointsFrom(1, grid.level.steps, 1)) {
    relaxPoints(arithmetic, grid, [i]);
  }
}

/** u ← u + (coarse u − v) at the C-points. Frees the coarser grid. */
function correct<X>(
  { space }: Arithmetic<X>,
  grid: Grid<X>,
  { u, v, f }: CoarseGrid<X>,
): void {
  const points = coarsePoints(grid.level);
  const values = points.map((i, k) => {
    const correction = space.axpy(-1, v[k + 1], u[k + 1]);
    const value = space.axpy(1, correction, grid.u[i]);
    space.dispose(correction);
    return value;
  });
  store(space, grid, points, values);
  [...u, ...v, ...f.slice(1)].forEach(space.dispose);
}

/**
 * Nested iteration: the C-points of the finest level from a march on the
 * coarsest, with F-relaxation on the levels between. Reads the first state
 * only.
 */
export function solveNested<X>(multigrid: Multigrid<X>, grid: Grid<X>): void {
  const { space, levels } = multigrid;
  const level = levels[grid.level.index + 1];
  const coarse: Grid<X> = { level, u: new Array<X>(level.steps + 1) };
  coarse.u[0] = space.copy(grid.u[0]);
  if (level.index + 1 === levels.length) {
    solveCoarsest(multigrid, coarse);
  } else {
    solveNested(multigrid, coarse);
    relaxF(multigrid, coarse);
  }
  // The coarse states change hands; only the first has a place already.
  store(space, grid, coarsePoints(grid.level), coarse.u.slice(1));
  space.dispose(coarse.u[0]);
}
