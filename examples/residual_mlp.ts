/** A residual network of one's own, trained in parallel over its layers. */
import * as lb from "@layerbraid/layerbraid";

await lb.device("wasm", { threads: 1 });
type Parameters = { weight: lb.Tensor; bias: lb.Tensor }; // layers first
const network: lb.OdeBlock<lb.Tensor, Parameters, unknown> = {
  layers: 32,
  endTime: 4,
  rightHandSide: (x, { weight, bias }) => lb.tanh(lb.linear(x, weight, bias)),
};
const options: lb.SolveOptions = {
  forward: { ...lb.defaultMultigrid, iterations: 2 },
  backward: lb.defaultMultigrid,
  execution: "stacked", // all intervals of a sweep in one call
};
const x = lb.normal([64, 4], lb.randomKey(1));
const loss = lb.valueAndGrad((parameters: Parameters) => {
  const y = lb.solve(network, x, parameters, {}, options);
  return lb.meanSquaredError(y, lb.sin(x));
});

let parameters: Parameters = {
  weight: lb.normal([32, 4, 4], lb.randomKey(0), 0, 0.2),
  bias: lb.zeros([32, 4]),
};
const optimizer = lb.adamW({ learningRate: 1e-2 });
let state = optimizer.init(parameters);
for (let step = 0; step <= 200; step++) {
  const { value, gradient } = loss(parameters);
  ({ parameters, state } = optimizer.update(parameters, gradient, state));
  if (step % 50 === 0) console.log(`step ${step}: loss ${await value.item()}`);
}
