/**
 * Training: optimizers, schedules, the loop, checkpoints, metrics and reports.
 *
 * @example Train a small GPT
 * ```ts
 * import { tokensInMemory } from "@layerbraid/layerbraid/data";
 * import { gptConfiguration } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 * import { adamW, gptDecay, gptTask, train } from "@layerbraid/layerbraid/train";
 *
 * await device("wasm", { threads: 1 });
 * const bytes = new TextEncoder().encode("to be, or not to be. ".repeat(20));
 * const task = gptTask({
 *   configuration: gptConfiguration({
 *     vocabulary: 256,
 *     context: 16,
 *     width: 16,
 *     heads: 2,
 *     layers: 1,
 *   }),
 *   tokens: tokensInMemory(bytes),
 *   batch: 4,
 * });
 * const optimizer = adamW({ learningRate: 1e-2, decay: gptDecay });
 * for await (const event of train(task, { optimizer, steps: 3 })) {
 *   if (event.type === "step") console.log(event.step, event.loss); // 1 5.5…
 * }
 * ```
 *
 * @module
 */

export * from "./event.ts";
export * from "./task.ts";
export * from "./validation.ts";
export * from "./train_options.ts";
export * from "./solver.ts";
export * from "./loop.ts";
export * from "./beginning.ts";
export * from "./gpt_task.ts";
export * from "./gpt_evaluation.ts";
export {
  type BertDescription,
  bertFromCheckpoint,
  bertTask,
  type BertTaskOptions,
  type TrainedBert,
} from "./bert_task.ts";
export { type BertTokens, bertTokens } from "./bert_rows.ts";
export * from "./bert_evaluation.ts";
export {
  type TaggerDescription,
  taggerFromCheckpoint,
  taggerTask,
  type TaggerTaskOptions,
  type TrainedTagger,
} from "./tagger_task.ts";
export * from "./tagger_evaluation.ts";
export * from "./piece_tagger_task.ts";
export {
  bertLayout,
  classificationTask,
  type ClassificationTaskOptions,
  classifierFromCheckpoint,
  fineTunedConfiguration,
  type PretrainedWeights,
} from "./classification_task.ts";
export {
  type ClassificationDescription,
  type TrainedClassifier,
} from "./trained_classifier.ts";
export type { MeasuredClassifier } from "./classifier_measures.ts";
export * from "./classification_evaluation.ts";
export * from "./pretrained_encoder.ts";
export {
  type TrainedTranslator,
  type TranslationDescription,
  translationTask,
  type TranslationTaskOptions,
  translatorFromCheckpoint,
} from "./translation_task.ts";
export * from "./translation_evaluation.ts";
export {
  type TrainedVit,
  type VitDescription,
  vitFromCheckpoint,
  vitTask,
  type VitTaskOptions,
} from "./vit_task.ts";
export * from "./vit_evaluation.ts";
export * from "./watched_batches.ts";
export * from "./non_finite.ts";
export {
  type Checkpoint,
  type CheckpointPlace,
  listCheckpoints,
  loadCheckpoint,
  loadModelCheckpoint,
  type ModelCheckpoint,
} from "./checkpoint.ts";
export {
  CheckpointError,
  type Manifest,
  type ManifestFile,
  type Progress,
  type TrainingNumbers,
} from "./manifest.ts";
export type { HostArrays } from "./host_tensors.ts";
export type { LossScale } from "./loss_scale.ts";
export { metricsPath, readMetrics } from "./metrics_file.ts";
export * from "./device_from_environment.ts";
export { version } from "./version.ts";

export {
  type LeafUpdate,
  type Optimizer,
  optimizerOf,
  type OptimizerRule,
  type OptimizerState,
  type Slots,
  type Updated,
  type UpdateOptions,
} from "./optimizer.ts";
export type { NamePredicate, Predicate } from "./optimizer_options.ts";
export * from "./adafactor.ts";
export * from "./adam.ts";
export * from "./lars.ts";
export * from "./sgd.ts";
export * from "./schedule.ts";
export * from "./gradient_accumulation.ts";
export {
  clipByGlobalNorm,
  type Clipping,
  globalNorm,
} from "./gradient_clipping.ts";

export { type History, history, summarize, type Summary } from "./history.ts";
export * from "./metrics/mod.ts";
export * from "./evaluation.ts";
export type { ConfigurationRow } from "./report_configuration.ts";
export {
  type ReferenceRun,
  type ReportDetails,
  type Sample,
  trainingReport,
} from "./report.ts";

export * from "./tune.ts";
export * from "./tune_choice.ts";
export type { GradientAccuracy } from "./tune_measurement.ts";
export * from "./tune_setting.ts";
