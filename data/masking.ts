import { hash, hashBelow, shuffled } from "./random.ts";

/** The label of a position that doesn't count in the loss. */
export const ignoredLabel: number = -100;

/** How tokens are masked. */
export interface MaskingOptions {
  /** T, the tokens in a row. */
  readonly sequence: number;
  /** The fraction of a row that is to be predicted, in (0, 1]; default .15. */
  readonly probability?: number;
  /** The id of the mask. */
  readonly mask: number;
  /** The number of ids of which random ones are drawn: those below it. */
  readonly vocabulary: number;
  /** Ids that are never masked nor drawn, such as `[CLS]` and padding. */
  readonly special?: ReadonlySet<number>;
  /** The seed: a non-negative integer. */
  readonly seed: number;
  /** The number of the batch: each has places of its own. */
  readonly batch: number;
}

/** Tokens with some hidden, and what they were. */
export interface MaskedTokens {
  /** The tokens with masks in them, `[rows, sequence]`. */
  readonly inputs: Int32Array<ArrayBuffer>;
  /** The places in each row to predict, in order, `[rows, masked]`. */
  readonly positions: Int32Array<ArrayBuffer>;
  /** The tokens there; −100 where a row has fewer places, `[rows, masked]`. */
  readonly labels: Int32Array<ArrayBuffer>;
  /** M, the number of places in a row. */
  readonly masked: number;
}

/**
 * Hides tokens for masked language modelling (Devlin et al. 2019, "BERT",
 * section 3.1): of the places chosen 80 % get the mask, 10 % a random token,
 * and 10 % keep theirs. Every row has the same number of places,
 * `probability · sequence`, rounded, and at least 1.
 *
 * @param tokens Rows of tokens, `[rows, sequence]`.
 * @throws {RangeError} If the tokens aren't whole rows or the probability is
 * out of range.
 */
export function maskTokens(
  tokens: Int32Array,
  options: MaskingOptions,
): MaskedTokens {
  const { sequence, probability = 0.15, mask, seed, batch } = options;
  if (!(probability > 0 && probability <= 1)) {
    throw new RangeError(
      `maskTokens: probability ${probability}: expected a number in (0, 1]`,
    );
  }
  if (!(sequence >= 1) || tokens.length % sequence !== 0) {
    throw new RangeError(
      `maskTokens: ${tokens.length} tokens aren't rows of ${sequence}`,
    );
  }
  const special = options.special ?? new Set();
  const rows = tokens.length / sequence;
  const masked = Math.max(1, Math.round(probability * sequence));
  const inputs = Int32Array.from(tokens);
  const positions = new Int32Array(rows * masked);
  const labels = new Int32Array(rows * masked).fill(ignoredLabel);
  for (let row = 0; row < rows; row++) {
    const candidates: number[] = [];
    for (let place = 0; place < sequence; place++) {
      if (!special.has(tokens[row * sequence + place])) candidates.push(place);
    }
    const places = Array.from(
      { length: Math.min(masked, candidates.length) },
      (_, draw) =>
        candidates[shuffled(draw, candidates.length, seed, batch, row)],
    ).sort((a, b) => a - b);
    places.forEach((place, i) => {
      const at = row * sequence + place;
      positions[row * masked + i] = place;
      labels[row * masked + i] = tokens[at];
      const kind = hashBelow(10, seed, batch, row, place);
      if (kind < 8) inputs[at] = mask;
      else if (kind === 8) {
        inputs[at] = randomToken(options, special, row, place);
      }
    });
  }
  return { inputs, positions, labels, masked };
}

/** One of the ids that aren't special, all equally likely. */
function randomToken(
  { vocabulary, seed, batch }: MaskingOptions,
  special: ReadonlySet<number>,
  row: number,
  place: number,
): number {
  for (let draw = 0;; draw++) {
    const id = hashBelow(vocabulary, hash(seed, batch, row, place), draw);
    if (!special.has(id)) return id;
  }
}
