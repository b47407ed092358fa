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

export type { Dtype, TypedArray } from "./dtype.ts";
export { formatShape, sameShape, type Shape, sizeOf } from "./shape.ts";
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
export {
  Device,
  device,
  type DeviceName,
  type DeviceOptions,
  getDefaultDevice,
  type LiveTensor,
  setDefaultDevice,
} from "./devices.ts";
export { DeviceError, type DeviceFault } from "./device_error.ts";
export {
  type AdapterDescription,
  type AdapterLimit,
  automaticDevice,
  type GpuOptions,
  type KernelForm,
  listAdapters,
} from "./webgpu/mod.ts";
export type { Account, Storage, StorageOwner } from "./storage.ts";
export { Scope } from "./scope.ts";
export { dispose, scope } from "./scoped.ts";
export { type NestedArray, Tensor } from "./tensor.ts";
export {
  leaves,
  mapTree,
  namedLeaves,
  replaceLeaves,
  type Tree,
} from "./tree.ts";
export { apply, type Observer, type Operation } from "./operation.ts";
export {
  attention,
  type AttentionOptions,
  selfAttention,
} from "./operations/attention.ts";
export { conv2d, type Conv2dOptions } from "./operations/convolution.ts";
export {
  arange,
  assign,
  type CreationOptions,
  eye,
  full,
  linspace,
  ones,
  onesLike,
  tensor,
  type TensorOptions,
  zeros,
  zerosLike,
} from "./operations/creation.ts";
export {
  abs,
  add,
  type BinaryFunction,
  cast,
  clamp,
  cos,
  div,
  equal,
  erf,
  exp,
  expm1,
  floor,
  fuse,
  gelu,
  type GeluApproximation,
  less,
  lessEqual,
  log,
  log1p,
  logicalAnd,
  logicalNot,
  logicalOr,
  maximum,
  minimum,
  mul,
  neg,
  pow,
  reciprocal,
  relu,
  round,
  rsqrt,
  sigmoid,
  sign,
  silu,
  sin,
  softplus,
  sqrt,
  square,
  sub,
  tanh,
  type TensorOrNumber,
  type UnaryFunction,
  where,
} from "./operations/elementwise.ts";
export {
  argmax,
  cumsum,
  embedding,
  gather,
  take,
  topk,
} from "./operations/indexing.ts";
export { crossEntropy, type CrossEntropyOptions } from "./operations/losses.ts";
export {
  einsum,
  linear,
  type LinearOptions,
  matmul,
  type MatmulOptions,
} from "./operations/matmul.ts";
export {
  concat,
  contiguous,
  copy,
  expand,
  flip,
  pad,
  type PadAttributes,
  type Range,
  reshape,
  select,
  slice,
  split,
  squeeze,
  stack,
  transpose,
  unsqueeze,
} from "./operations/movement.ts";
export { layerNorm, softmax } from "./operations/normalization.ts";
export {
  dropout,
  dropoutMask,
  normal,
  randomKey,
  type RandomOptions,
  uniform,
} from "./operations/random.ts";
export {
  allFinite,
  type Axes,
  logSoftmax,
  logSumExp,
  max,
  mean,
  meanSquaredError,
  min,
  type ReductionOptions,
  sum,
  variance,
  type VarianceOptions,
} from "./operations/reductions.ts";
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
