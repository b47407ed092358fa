/**
 * Text from a trained model, as it is made.
 *
 * @module
 */

import type { Tokenizer } from "../data/mod.ts";
import {
  generate,
  type GenerateOptions,
  type GptConfiguration,
  type GptParameters,
} from "../models/mod.ts";

/** A model that writes text. */
export interface Writer {
  /** Shape of the model. */
  readonly configuration: GptConfiguration;
  /** Its parameters. */
  readonly parameters: GptParameters;
  /** Turns its tokens into text. */
  readonly tokenizer: Tokenizer;
}

/** What a model goes on from where nobody says: a new line, if it knows that. */
export function defaultPrompt(tokenizer: Tokenizer): string {
  try {
    tokenizer.encode("\n");
    return "\n";
  } catch {
    return tokenizer.decode(Int32Array.of(0));
  }
}

/**
 * What a model writes after a prompt, in pieces of whole characters.
 *
 * @throws {RangeError} If the tokenizer doesn't know a character of the prompt.
 */
export async function* writeText(
  { configuration, parameters, tokenizer }: Writer,
  prompt: string,
  options: GenerateOptions,
): AsyncGenerator<string, void, void> {
  const ids = tokenizer.encode(prompt);
  const decoder = tokenizer.decoder();
  for await (const id of generate(configuration, parameters, ids, options)) {
    const text = decoder.push(id);
    if (text !== "") yield text;
  }
  const rest = decoder.flush();
  if (rest !== "") yield rest;
}
