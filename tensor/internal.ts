/**
 * All that the other folders of this package build on: the public names and the
 * primitives, views and bookkeeping behind them.
 *
 * @module
 */

export * from "./dtype.ts";
export * from "./shape.ts";
export * from "./storage.ts";
export * from "./scope.ts";
export * from "./scoped.ts";
export * from "./tensor.ts";
export * from "./tree.ts";
export * from "./operation.ts";
export * from "./derivative.ts";
export * from "./backend.ts";
export * from "./philox.ts";
export * from "./device_error.ts";
export * from "./devices.ts";
export * from "./operations/mod.ts";
export * as expression from "./expression.ts";
export type {
  BinaryOp,
  Elementwise,
  Expression,
  ExpressionOp,
  LeafOp,
  Operand,
  UnaryOp,
  ValueType,
} from "./expression.ts";
