/**
 * Every network of one sequence in small, with padding, dropout and buffer
 * layers: its parameters, and its loss as a function of them.
 *
 * @module
 */

import {
  type BertConfiguration,
  bertConfiguration,
  type BertInputs,
  bertMaskedLoss,
  type BertParameters,
  classifierConfiguration,
  classifierLoss,
  type ClassifierParameters,
  gptConfiguration,
  gptLoss,
  type GptParameters,
  initializeBert,
  initializeClassifier,
  initializeGpt,
  initializeTagger,
  initializeVit,
  type NormPlace,
  type StackCallOptions,
  taggerConfiguration,
  taggerLoss,
  type TaggerParameters,
  vitConfiguration,
  vitLoss,
  type VitParameters,
} from "../../models/mod.ts";
import {
  normal,
  randomKey,
  type Tensor,
  tensor,
  type Tree,
} from "../../tensor/mod.ts";

/** A tree with names, as all networks' parameters are. */
export interface Parameters {
  readonly [name: string]: Tree;
}

/** A network, its inputs and its loss. */
export interface Network {
  /** For the names of tests. */
  readonly name: string;
  /** On the default device. */
  readonly make: () => Instance<Parameters>;
}

/** Parameters and loss on one device. */
export interface Instance<P extends Tree> {
  /** Fresh. */
  readonly parameters: P;
  /** Of one batch. */
  readonly loss: (parameters: P, options: StackCallOptions) => Tensor;
}

const layers = { width: 8, heads: 2, layers: 8, before: 1, after: 1 };
const context = 6;

function ids(rows: number[][]): Tensor {
  return tensor(rows, { dtype: "i32" });
}

const tokens = (): Tensor => ids([[1, 7, 3, 4, 9], [2, 6, 5, 0, 0]]);
/** The second sequence has two places of padding. */
const keep = (): Tensor =>
  tensor([[true, true, true, true, true], [true, true, true, false, false]]);
const tags = (): Tensor => ids([[0, 1, 2, 3, 1], [3, 2, 1, -100, -100]]);

function inputs(): BertInputs {
  const segments = ids([[0, 0, 1, 1, 1], [0, 1, 1, 0, 0]]);
  return { tokens: tokens(), segments, keep: keep() };
}

function bertShape(norm: NormPlace): BertConfiguration {
  return bertConfiguration({ ...layers, vocabulary: 11, context, norm });
}

function instance<P extends Tree>(given: Instance<P>): Instance<Parameters> {
  return given as unknown as Instance<Parameters>;
}

function gpt(): Instance<Parameters> {
  const shape = gptConfiguration({ ...layers, vocabulary: 11, context });
  const [read, mask] = [tokens(), keep()];
  const targets = ids([[7, 3, 4, 9, 2], [6, 5, -100, -100, -100]]);
  return instance<GptParameters>({
    parameters: initializeGpt(shape, 1),
    loss: (parameters, options) =>
      gptLoss(shape, parameters, read, targets, { ...options, keep: mask }),
  });
}

function bert(norm: NormPlace): Instance<Parameters> {
  const shape = bertShape(norm);
  const read = inputs();
  const masked = {
    positions: ids([[1, 3], [2, 0]]),
    labels: ids([[8, 2], [4, -100]]),
  };
  return instance<BertParameters>({
    parameters: initializeBert(shape, 1),
    loss: (parameters, options) =>
      bertMaskedLoss(shape, parameters, read, masked, options),
  });
}

function classifier(norm: NormPlace): Instance<Parameters> {
  const head = { kind: "classes", outputs: 3 } as const;
  const shape = classifierConfiguration(bertShape(norm), head);
  const read = inputs();
  const labels = tensor([2, 0], { dtype: "i32" });
  return instance<ClassifierParameters>({
    parameters: initializeClassifier(shape, 1),
    loss: (parameters, options) =>
      classifierLoss(shape, parameters, read, labels, options),
  });
}

function tagger(norm: NormPlace): Instance<Parameters> {
  const shape = taggerConfiguration({
    ...layers,
    features: 13,
    featuresPerWord: 2,
    classes: 4,
    context,
    norm,
  });
  const features = tensor(
    Int32Array.from({ length: 20 }, (_, i) => i * 5 % 13),
    { shape: [2, 5, 2] },
  );
  const read = { features, keep: keep() };
  const labels = tags();
  return instance<TaggerParameters>({
    parameters: initializeTagger(shape, 1),
    loss: (parameters, options) =>
      taggerLoss(shape, parameters, read, labels, options),
  });
}

function vit(): Instance<Parameters> {
  const images = { image: 4, patch: 2, channels: 3, classes: 4 };
  const shape = vitConfiguration({ ...layers, ...images });
  const pixels = normal([2, 3, 4, 4], randomKey(2));
  const labels = tensor([3, 1], { dtype: "i32" });
  return instance<VitParameters>({
    parameters: initializeVit(shape, 1),
    loss: (parameters, options) =>
      vitLoss(shape, parameters, pixels, labels, options),
  });
}

/** All of them, with 1 + 8 + 1 layers. */
export const networks: readonly Network[] = [
  { name: "GPT", make: gpt },
  { name: "ViT", make: vit },
  ...(["pre", "post"] as const).flatMap((norm) => [
    { name: `BERT, ${norm}-LN`, make: () => bert(norm) },
    { name: `classifier, ${norm}-LN`, make: () => classifier(norm) },
    { name: `tagger, ${norm}-LN`, make: () => tagger(norm) },
  ]),
];
