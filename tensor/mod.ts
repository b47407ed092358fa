/**
 * Tensors: n-dimensional arrays on a device, and what can be computed with
 * them. Knows nothing of gradients; see `autograd`.
 *
 * @example
 * ```ts
 * import { device, matmul, tensor } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const a = tensor([[1, 2], [3, 4]]);
 * console.log(await matmul(a, a).array()); // [ [ 7, 10 ], [ 15, 22 ] ]
 * ```
 *
 * @module
 */

export * from "./dtype.ts";
export * from "./shape.ts";
export type {
  AttentionArguments,
  Backend,
  CrossEntropyArguments,
  DeviceBuffer,
  DeviceStats,
  Dropout,
  Kernels,
  MatmulArguments,
  RandomKey,
  ReduceKind,
  View,
} from "./backend.ts";
export * from "./devices.ts";
export * from "./storage.ts";
export * from "./scope.ts";
export * from "./scoped.ts";
export * from "./tensor.ts";
export * from "./tree.ts";
export * from "./operation.ts";
export * from "./derivative.ts";
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
export * from "./operations/mod.ts";
