/**
 * Translating: the target that an encoder–decoder finds likeliest, by greedy or
 * beam search.
 *
 * @example
 * ```ts
 * import { encoderDecoderConfiguration, initializeEncoderDecoder, translate } from "@layerbraid/layerbraid/models";
 * import { device } from "@layerbraid/layerbraid/tensor";
 *
 * await device("wasm", { threads: 1 });
 * const configuration = encoderDecoderConfiguration({
 *   vocabulary: 7,
 *   width: 8,
 *   heads: 2,
 *   encoderLayers: 1,
 *   decoderLayers: 1,
 *   padding: 0,
 *   start: 0,
 *   end: 1,
 * });
 * const parameters = initializeEncoderDecoder(configuration, 0);
 * const [translation] = await translate(
 *   configuration,
 *   parameters,
 *   [[5, 6, 1]],
 *   { beams: 3, maximum: 4 },
 * );
 * console.log(translation.tokens.length <= 4); // true
 * ```
 *
 * @module
 */

import { evaluate } from "../autograd/mod.ts";
import { logSoftmax, scope, topk } from "../tensor/internal.ts";
import type {
  EncoderDecoderConfiguration,
  EncoderDecoderParameters,
} from "./encoder_decoder.ts";
import { requireInteger } from "./requirements.ts";
import {
  cachedDecoder,
  type StepDecoder,
  type Tokens,
  wholeDecoder,
} from "./step_decoder.ts";

/** How a translation is searched. */
export interface TranslateOptions {
  /** Translations of each sentence that are followed; 1 (default) is greedy. */
  readonly beams?: number;
  /**
   * A translation of n tokens, the end token included, has the score
   * log p / n^lengthPenalty: the higher, the more long ones are favoured.
   * Default 1, the mean over its tokens.
   */
  readonly lengthPenalty?: number;
  /** Tokens that a translation may have; default, and at most: the context. */
  readonly maximum?: number;
  /**
   * Keep keys and values of earlier positions (default). Without, every token
   * costs a pass over all before it; the translations are the same.
   */
  readonly cache?: boolean;
}

/** What a sentence was translated into. */
export interface Translation {
  /** Without start and end. */
  readonly tokens: readonly number[];
  /** log p / n^lengthPenalty. */
  readonly score: number;
  /** Whether it came to an end within the maximum. */
  readonly ended: boolean;
}

/** A beginning of a translation. */
interface Beam {
  /** The start token first. */
  readonly tokens: readonly number[];
  /** log p. */
  readonly logProbability: number;
}

/** The search for the translation of one sentence. */
interface Search {
  /** Which of the sentences. */
  readonly sentence: number;
  /** Equally many for all sentences. */
  readonly beams: readonly Beam[];
  /** The best so far, at most as many as beams are asked for, best first. */
  readonly found: readonly Translation[];
}

/** A beam of a sentence with one token more. */
interface Candidate extends Beam {
  /** The beam that it continues. */
  readonly from: number;
  /** Its last token. */
  readonly token: number;
}

/**
 * Translates sentences, all in one batch: give those of like length together.
 * Candidates and scores are those of Hugging Face's beam search: of the 2 · beams
 * likeliest continuations of a sentence, those that end among the first `beams`
 * are translations, the best others are followed; and a sentence is done once it
 * has as many translations as beams, none of which the likeliest continuation
 * would beat at its present length. Padding is never translated into.
 *
 * @param sources Token ids of each sentence, the end token included if the
 *   network was trained so.
 * @returns The best translation of each sentence.
 * @throws {RangeError} If a sentence is empty or longer than the context, or an
 *   option is out of range.
 */
export async function translate(
  configuration: EncoderDecoderConfiguration,
  parameters: EncoderDecoderParameters,
  sources: readonly ArrayLike<number>[],
  options: TranslateOptions = {},
): Promise<Translation[]> {
  const { context } = configuration;
  const { beams = 1, lengthPenalty = 1, maximum = context, cache = true } =
    options;
  requireInteger("translate", "beams", beams, 1);
  requireInteger("translate", "maximum", maximum, 1);
  requireSources(sources, configuration);
  if (maximum > context) {
    throw new RangeError(
      `translate: maximum ${maximum} must be at most the context, ${context}`,
    );
  }
  if (!Number.isFinite(lengthPenalty)) {
    throw new RangeError(
      `translate: lengthPenalty ${lengthPenalty} must be a number`,
    );
  }
  if (sources.length === 0) return [];
  using decoder = evaluate(() =>
    cache
      ? cachedDecoder(configuration, parameters, sources, maximum)
      : wholeDecoder(configuration, parameters, sources)
  );
  const rules = { ...configuration, beams, lengthPenalty, maximum };
  return await search(decoder, sources.length, rules);
}

interface Rules
  extends Pick<EncoderDecoderConfiguration, "padding" | "start" | "end"> {
  readonly beams: number;
  readonly lengthPenalty: number;
  readonly maximum: number;
}

async function search(
  decoder: StepDecoder,
  sentences: number,
  rules: Rules,
): Promise<Translation[]> {
  const translations: Translation[] = [];
  let searches = Array.from({ length: sentences }, (_, sentence): Search => ({
    sentence,
    beams: [{ tokens: [rules.start], logProbability: 0 }],
    found: [],
  }));
  for (let length = 1; searches.length > 0; length++) {
    const candidates = await continuations(decoder, searches, rules);
    const rows: number[] = [];
    const kept: number[] = [];
    const going: Search[] = [];
    searches.forEach((before, place) => {
      const { after, followed } = advance(before, candidates[place], rules);
      const done = isDone(after, candidates[place], rules);
      if (done || length === rules.maximum) {
        translations[before.sentence] = done
          ? after.found[0]
          : bestOfAll(after, rules);
        return;
      }
      const first = place * before.beams.length;
      rows.push(...followed.map(({ from }) => first + from));
      kept.push(place);
      going.push(after);
    });
    if (going.length > 0) decoder.select(rows, kept);
    searches = going;
  }
  return translations;
}

/** The likeliest continuations of each sentence's beams, best first. */
async function continuations(
  decoder: StepDecoder,
  searches: readonly Search[],
  { beams, padding }: Rules,
): Promise<Candidate[][]> {
  const prefixes = searches.flatMap((each) =>
    each.beams.map(({ tokens }) => tokens)
  );
  const likeliest = evaluate(() => {
    const logits = decoder.next(prefixes);
    // One more, for padding is left out.
    const count = Math.min(2 * beams + 1, logits.shape[1]);
    return topk(scope(() => logSoftmax(logits)), count);
  });
  using values = likeliest.values;
  using indices = likeliest.indices;
  const count = values.shape[1];
  const [logs, tokens] = await Promise.all([values.data(), indices.data()]);
  let row = 0;
  return searches.map((each) => {
    const all = each.beams.flatMap(
      ({ tokens: before, logProbability }, from) => {
        const start = row++ * count;
        return Array.from({ length: count }, (_, i): Candidate => ({
          from,
          token: tokens[start + i],
          tokens: [...before, tokens[start + i]],
          logProbability: logProbability + logs[start + i],
        }));
      },
    );
    const possible = all
      .filter(({ token, logProbability }) =>
        token !== padding && logProbability > -Infinity
      )
      .sort((a, b) => b.logProbability - a.logProbability);
    if (possible.length === 0) {
      throw new RangeError("translate: the model's logits are not finite");
    }
    return possible.slice(0, 2 * beams);
  });
}

/** A sentence's search after one token more, and the candidates it follows. */
function advance(
  { sentence, found }: Search,
  candidates: readonly Candidate[],
  rules: Rules,
): { after: Search; followed: readonly Candidate[] } {
  const ended = candidates.slice(0, rules.beams).filter(({ token }) =>
    token === rules.end
  );
  const others = candidates.filter(({ token }) => token !== rules.end);
  const followed = filled(others.slice(0, rules.beams), rules.beams);
  const all = [
    ...found,
    ...ended.map((candidate) => translationOf(candidate, true, rules)),
  ];
  const best = all.sort((a, b) => b.score - a.score).slice(0, rules.beams);
  return { after: { sentence, beams: followed, found: best }, followed };
}

/** As many candidates as beams: where there are fewer, dead ones beside them. */
function filled(
  candidates: readonly Candidate[],
  beams: number,
): readonly Candidate[] {
  const [first] = candidates;
  if (first === undefined || candidates.length === beams) return candidates;
  const dead = { ...first, logProbability: -Infinity };
  return [
    ...candidates,
    ...new Array<Candidate>(beams - candidates.length).fill(dead),
  ];
}

function translationOf(
  { tokens, logProbability }: Beam,
  ended: boolean,
  { lengthPenalty }: Rules,
): Translation {
  // The start token doesn't count.
  const score = logProbability / (tokens.length - 1) ** lengthPenalty;
  return { tokens: tokens.slice(1, ended ? -1 : undefined), score, ended };
}

function isDone(
  { found, beams }: Search,
  [likeliest]: readonly Candidate[],
  rules: Rules,
): boolean {
  if (beams.length === 0) return true;
  if (found.length < rules.beams) return false;
  return found[found.length - 1].score >=
    translationOf(likeliest, false, rules).score;
}

/** The best translation, those under way included. */
function bestOfAll({ found, beams }: Search, rules: Rules): Translation {
  const all = [
    ...found,
    ...beams.map((beam) => translationOf(beam, false, rules)),
  ];
  return all.reduce((best, each) => each.score > best.score ? each : best);
}

function requireSources(
  sources: readonly Tokens[],
  { context }: EncoderDecoderConfiguration,
): void {
  sources.forEach(({ length }, i) => {
    if (length >= 1 && length <= context) return;
    throw new RangeError(
      `translate: sentence ${i} has ${length} tokens; it must have 1 to ` +
        `${context}, as the network's context says`,
    );
  });
}
