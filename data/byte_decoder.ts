import type { StreamingDecoder, Tokenizer } from "./tokenizer.ts";

/** The bytes that an id stands for, appended to the text; throws if unknown. */
export type BytesOfId = (id: number) => Uint8Array<ArrayBuffer>;

/**
 * `decode` and `decoder` of a tokenizer whose ids are runs of UTF-8 bytes.
 * A byte order mark is kept: it is a character of the text.
 */
export function byteDecoder(
  bytesOf: BytesOfId,
): Pick<Tokenizer, "decode" | "decoder"> {
  const decoder = (): StreamingDecoder => {
    const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
    return {
      push: (id) => utf8.decode(bytesOf(id), { stream: true }),
      flush: () => utf8.decode(),
    };
  };
  const decode = (ids: ArrayLike<number>): string => {
    const parts = Array.from(ids, bytesOf);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const bytes = new Uint8Array(length);
    let position = 0;
    for (const part of parts) {
      bytes.set(part, position);
      position += part.length;
    }
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  };
  return { decode, decoder };
}
