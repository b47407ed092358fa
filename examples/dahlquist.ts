/** Dahlquist's equation u′ = −u by multigrid in time, on plain numbers. */
import {
  forwardPropagator,
  multigrid,
  numbers,
} from "@layerbraid/layerbraid/mgrit";

const steps = 64;
const h = 5 / steps;
const eulerStep = (u: number, _layer: number, stride: number): number =>
  u / (1 + h * stride);
const { states, residuals } = multigrid(
  { steps, space: numbers, propagator: forwardPropagator(eulerStep) },
  1,
  { levels: 3, coarsening: 4, relaxation: "FCF", iterations: 5, guess: "zero" },
);
residuals.forEach((r, k) => console.log(`iteration ${k + 1}: residual ${r}`));
console.log(`u(5) = ${states[steps]}, one step at a time:`, (1 + h) ** -steps);
