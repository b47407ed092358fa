/**
 * Layers as time steps: ODE blocks and the solver over them.
 *
 * @module
 */

export * from "./accuracy_control.ts";
export * from "./control_options.ts";
export * from "./cost_model.ts";
export * from "./gradient_comparison.ts";
export * from "./probe.ts";
export { type Coarsening, hierarchy, type Level } from "./hierarchy.ts";
export { type Chain, multigrid, type Solution } from "./multigrid.ts";
export {
  type Cycle,
  defaultMultigrid,
  type Guess,
  type MultigridOptions,
  type Relaxation,
  type Tolerance,
} from "./multigrid_options.ts";
export { type Sweep, type SweepKind } from "./sweep.ts";
export * from "./ode_block.ts";
export {
  assertStacked,
  type Section,
  type SectionedLayers,
} from "./section.ts";
export * from "./sectioned_block.ts";
export * from "./propagator.ts";
export { solve, type SolveOptions, type SolveReport } from "./solve.ts";
export * from "./state_space.ts";
export { type RememberedStates, SolveMemory } from "./solve_memory.ts";
export type { Execution } from "./row_propagator.ts";
export { type LayerRow } from "./layer_row.ts";
export {
  type AdjointSolution,
  type BlockProblem,
  RowPullbacks,
  solveAdjoint,
  solveForward,
} from "./block_solver.ts";
