import { byteDecoder } from "./byte_decoder.ts";
import { checkId, type Tokenizer } from "./tokenizer.ts";

const size = 256;
const everyByte = Uint8Array.from({ length: size }, (_, byte) => byte);

/** The byte-level tokenizer: the ids are the bytes of the text in UTF-8. */
export const byteTokenizer: Tokenizer = {
  name: "byte",
  vocabularySize: size,
  special: new Map(),
  encode: (text) => new Int32Array(new TextEncoder().encode(text)),
  ...byteDecoder((id) => {
    checkId("byte", id, size);
    return everyByte.subarray(id, id + 1);
  }),
  toJSON: () => ({ kind: "byte" }),
};
