/**
 * The sentence pairs that the options name.
 *
 * @module
 */

import {
  numberWordPairs,
  openCorpus,
  readGettextCatalogues,
  readPairTable,
  readParallelText,
  type SentencePair,
} from "../../data/mod.ts";
import { UsageError } from "../failure.ts";
import type { TrainValues } from "../train_command.ts";
import { countWords } from "./task_kind.ts";

/** Pairs to train on and pairs to measure on. */
export interface PairSplit {
  /** Names them. */
  readonly name: string;
  /** What a tokenizer is learned from: all that `--data` holds. */
  readonly pairs: readonly SentencePair[];
  /** To train on. */
  readonly training: readonly SentencePair[];
  /** To measure on. */
  readonly validation: readonly SentencePair[];
}

/** Numbers whose words are learned, and numbers whose words are measured on. */
const numberCounts = { training: 10_000, unseen: 2_000 };

type Values = Pick<
  TrainValues,
  | "data"
  | "target"
  | "language"
  | "validationData"
  | "validationTarget"
  | "validation"
>;

/**
 * Reads the pairs, and splits them where there are none to measure on.
 *
 * @throws {UsageError} If options don't fit together.
 * @throws {CorpusError} If files are missing or malformed.
 */
export async function openPairs(values: Values): Promise<PairSplit> {
  const { data, target, language, validation: share } = values;
  const other = await openPairsToMeasure(values);
  if (data.length === 0) {
    if (target.length > 0) {
      throw new UsageError(
        "--target needs --data, the sentences that it translates",
      );
    }
    const { training, unseen } = numberWordPairs(numberCounts);
    return {
      name: "number words",
      pairs: training,
      training,
      validation: other ?? unseen,
    };
  }
  const { name, pairs } = await readPairs({ data, target, language });
  if (other !== undefined) {
    return { name, pairs, training: pairs, validation: other };
  }
  const end = pairs.length - Math.floor(pairs.length * share);
  if (end === pairs.length) {
    throw new UsageError(
      `--validation ${share} of ${countWords(pairs.length, "pair")} leaves ` +
        `none to measure on; raise it, or give --validation-data`,
    );
  }
  return {
    name,
    pairs,
    training: pairs.slice(0, end),
    validation: pairs.slice(end),
  };
}

async function openPairsToMeasure(
  { validationData: data, validationTarget: target, language }: Values,
): Promise<readonly SentencePair[] | undefined> {
  if (data.length > 0) {
    return (await readPairs({ data, target, language })).pairs;
  }
  if (target.length === 0) return undefined;
  throw new UsageError(
    "--validation-target needs --validation-data, the sentences that it " +
      "translates",
  );
}

const catalogues = "gettext:";

async function readPairs(
  { data, target, language }: Pick<Values, "data" | "target" | "language">,
): Promise<{ name: string; pairs: SentencePair[] }> {
  const [first] = data;
  if (first.startsWith(catalogues)) {
    const path = first.slice(catalogues.length);
    if (data.length > 1 || target.length > 0) {
      throw new UsageError(
        `--data ${first}: catalogues hold both languages; give no other ` +
          `--data and no --target with them`,
      );
    }
    if (path === "") {
      throw new UsageError(
        `--data ${first} names no folder; expected one such as ` +
          `${catalogues}/usr/share/locale`,
      );
    }
    if (language === undefined && !path.endsWith(".mo")) {
      throw new UsageError(
        `--data ${first} needs --language, such as de: the folder has one ` +
          `for each language`,
      );
    }
    const pairs = await readGettextCatalogues(path, language ?? "");
    return { name: [first, language].filter(Boolean).join(" "), pairs };
  }
  const catalogue = data.find((path) =>
    path.startsWith(catalogues) || path.endsWith(".mo")
  );
  if (catalogue !== undefined) {
    const path = catalogue.replace(catalogues, "");
    throw new UsageError(
      `--data ${catalogue}: a catalogue stands alone: --data ${catalogues}${path}`,
    );
  }
  const source = await openCorpus(data);
  const pairs = await Array.fromAsync(
    target.length === 0
      ? readPairTable(source)
      : readParallelText(source, await openCorpus(target)),
  );
  if (pairs.length > 0) return { name: source.name, pairs };
  throw new UsageError(
    `${source.name}: there is no pair of sentences in it; expected ` +
      `translations of them, none of them empty`,
  );
}
