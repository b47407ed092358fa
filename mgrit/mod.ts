/**
 * Layers as time steps: ODE blocks and the solver over them.
 *
 * @module
 */

export { type Coarsening, hierarchy, type Level } from "./hierarchy.ts";
export * from "./multigrid.ts";
export * from "./ode_block.ts";
export * from "./propagator.ts";
export { solve, type SolveOptions, type SolveReport } from "./solve.ts";
export * from "./state_space.ts";
export {
  type AdjointSolution,
  type BlockProblem,
  type LayerPullbacks,
  solveAdjoint,
  solveForward,
} from "./block_solver.ts";
