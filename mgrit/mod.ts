/**
 * Layers as time steps: ODE blocks and the solver over them.
 *
 * @module
 */

export * from "./ode_block.ts";
export { solve, type SolveOptions } from "./solve.ts";
