/**
 * The golden sets that every device passes in every environment, by name.
 *
 * @module
 */

import { goldenOperations } from "./autograd/golden_operations.ts";
import { goldenTokenizer } from "./data/golden_tokenizer.ts";
import type { GpuOptions } from "../tensor/webgpu/gpu_options.ts";
import type { GoldenSet } from "./golden_case.ts";
import {
  goldenMgrit,
  goldenWarmStart,
  problems,
} from "./mgrit/golden_mgrit.ts";
import { goldenPlainNumbers } from "./mgrit/golden_plain_numbers.ts";
import { goldenBert } from "./models/golden_bert.ts";
import { goldenEncoderDecoder } from "./models/golden_encoder_decoder.ts";
import { goldenGpt } from "./models/golden_gpt.ts";
import { goldenVit } from "./models/golden_vit.ts";
import {
  goldenOptimizers,
  goldenSchedules,
} from "./train/golden_optimizers.ts";

/** Sets that compute on a device. */
export const deviceSets: Readonly<Record<string, GoldenSet>> = {
  operations: goldenOperations,
  "GPT-2": goldenGpt,
  BERT: goldenBert,
  ViT: goldenVit,
  "encoder–decoder": goldenEncoderDecoder,
  optimizers: goldenOptimizers,
  "mgrit: a second batch": goldenWarmStart,
  ...Object.fromEntries(
    problems.map((name) => [
      `mgrit: ${name}, stacked`,
      goldenMgrit(name, "stacked", true),
    ]),
  ),
};

/** Sets of plain functions, the same on every device. */
export const plainSets: Readonly<Record<string, GoldenSet>> = {
  "mgrit: plain numbers": goldenPlainNumbers,
  schedules: goldenSchedules,
  tokenizer: goldenTokenizer,
};

/** Kernels on webgpu as GPUs prefer them, which adapters in software don't. */
export const workgroupForms: GpuOptions = {
  matmul: "tiled",
  attention: "tiled",
  reduce: "tiled",
  rows: "tiled",
  indexing: "tiled",
};
