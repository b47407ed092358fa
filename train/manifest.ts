/**
 * What a checkpoint says of itself: `manifest.json`.
 *
 * @module
 */

import type { ControlState } from "../mgrit/mod.ts";
import type { LossScale } from "./loss_scale.ts";
import type { JsonRecord } from "./task.ts";

/** A checkpoint that can't be read or used; the message names the file. */
export class CheckpointError extends Error {
  /** Says which file, what is wrong with it and what to do. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CheckpointError";
  }
}

/** How far a run is, beyond its tensors. */
export interface Progress {
  /** Steps done. */
  readonly step: number;
  /** The lowest validation loss and its step, once there is one. */
  readonly best?: { readonly step: number; readonly loss: number };
  /** Evaluations since then. */
  readonly misses: number;
}

/** The numbers of {@linkcode TrainOptions}; patience is absent if unlimited. */
export interface TrainingNumbers {
  /** Steps of the whole run. */
  readonly steps: number;
  /** Largest norm of all gradients together; absent: no limit. */
  readonly clipNorm?: number;
  /** Batches of an update. */
  readonly accumulation: number;
  /** Steps from one validation loss to the next. */
  readonly evaluationInterval: number;
  /** Batches of a validation loss at most. */
  readonly evaluationBatches: number;
  /** Evaluations without a lower loss after which the run ends. */
  readonly patience?: number;
  /** Steps from one checkpoint to the next. */
  readonly checkpointInterval: number;
  /** Checkpoints that stay. */
  readonly keep: number;
}

/** A file of a checkpoint. */
export interface ManifestFile {
  /** Its size. */
  readonly bytes: number;
  /** SHA-256 of its contents, in hexadecimal digits. */
  readonly sha256: string;
}

/** What `manifest.json` holds. */
export interface Manifest {
  /** Of the layout of checkpoints. */
  readonly format: 1;
  /** Of the library that wrote it. */
  readonly version: string;
  /** How far the run is. */
  readonly progress: Progress;
  /** What is trained. */
  readonly task: { readonly name: string; readonly description: JsonRecord };
  /** How it is trained. */
  readonly training: TrainingNumbers;
  /** What improves the parameters; its tensors are in a file of their own. */
  readonly optimizer: {
    /** Which one. */
    readonly name: string;
    /** Its learning rate, before the schedule. */
    readonly learningRate: number;
    /** Updates done. */
    readonly step: number;
  };
  /**
   * How accuracy control has the block solved now; without the directions that
   * are serial by their options.
   */
  readonly solver?: Partial<ControlState>;
  /** The scale of the loss, where it has one. */
  readonly lossScale?: LossScale;
  /** What the program that trains wants to know again. */
  readonly settings: JsonRecord;
  /** Where it ran; the same numbers come from the same kind of device only. */
  readonly device: { readonly name: string; readonly dtype: string };
  /** The other files, by name. */
  readonly files: Readonly<Record<string, ManifestFile>>;
}

/** The layout that this version writes and reads. */
export const manifestFormat: Manifest["format"] = 1;

/**
 * Reads a manifest.
 *
 * @param path Of the file, for messages.
 * @throws {CheckpointError} If it isn't one, or of a later format.
 */
export function parseManifest(path: string, text: string): Manifest {
  const fail = (problem: string, cause?: unknown): never => {
    throw new CheckpointError(
      `${path}: ${problem}; use another checkpoint`,
      { cause },
    );
  };
  let manifest: Partial<Manifest> | null = null;
  try {
    manifest = JSON.parse(text);
  } catch (error) {
    fail("is no JSON", error);
  }
  if (manifest === null || typeof manifest !== "object") {
    return fail("is no manifest");
  }
  if (manifest.format !== manifestFormat) {
    return fail(
      `has format ${manifest.format} (written by layerbraid ` +
        `${manifest.version}), not ${manifestFormat} as this version reads`,
    );
  }
  const parts = [
    "progress",
    "task",
    "training",
    "optimizer",
    "settings",
    "device",
    "files",
  ] as const;
  for (const part of parts) {
    if (typeof manifest[part] !== "object" || manifest[part] === null) {
      fail(`has no ${part}`);
    }
  }
  const step = manifest.progress?.step;
  if (!Number.isInteger(step) || step! < 0) {
    fail(`has progress.step ${step}, which must be an integer ≥ 0`);
  }
  const { solver } = manifest;
  if (solver !== undefined && !isControlState(solver)) {
    fail(`has solver ${JSON.stringify(solver)}, which is no state of control`);
  }
  const { lossScale } = manifest;
  if (lossScale !== undefined && !isLossScale(lossScale)) {
    fail(`has lossScale ${JSON.stringify(lossScale)}, which is none`);
  }
  return manifest as Manifest;
}

function isLossScale(given: Partial<LossScale> | null): boolean {
  return typeof given === "object" && given !== null &&
    Number.isFinite(given.factor) && given.factor! >= 1 &&
    Number.isInteger(given.since);
}

function isControlState(given: Partial<ControlState> | null): boolean {
  if (typeof given !== "object" || given === null) return false;
  return [given.forward, given.backward].every((direction) =>
    direction === undefined || (
      typeof direction?.serial === "boolean" &&
      Number.isInteger(direction.iterations) &&
      Number.isInteger(direction.misses)
    )
  );
}
