import { assertEquals, assertThrows } from "@std/assert";
import { readSafetensors, writeSafetensors } from "../../models/mod.ts";

function fails(bytes: Uint8Array, message: string): void {
  assertThrows(() => readSafetensors(bytes), SyntaxError, message);
}

/** A file with a header that says anything, and data. */
function fileOf(header: string, data = 0): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

Deno.test("arrays survive the way to a file and back", () => {
  const arrays = {
    a: { dtype: "f32", shape: [2], values: new Float32Array([1, 2]) },
    b: { dtype: "f64", shape: [], values: new Float64Array([Math.PI]) },
    c: { dtype: "i32", shape: [1, 3], values: new Int32Array([-1, 0, 7]) },
    d: { dtype: "bool", shape: [0], values: new Uint8Array(0) },
  } as const;
  const file = readSafetensors(writeSafetensors(arrays, { made: "here" }));
  assertEquals(file, { arrays, metadata: { made: "here" } });
});

Deno.test("a file that is cut off says so", () => {
  const values = new Float32Array(100);
  const bytes = writeSafetensors({
    first: { dtype: "f32", shape: [100], values },
    last: { dtype: "f32", shape: [10, 10], values },
  });
  fails(
    bytes.subarray(0, -1),
    `"last" ends at byte ${bytes.length} of a file of ${bytes.length - 1}; ` +
      "the file is cut off: copy or download it again",
  );
  fails(bytes.subarray(0, 50), "the file is cut off, or of another format");
  fails(bytes.subarray(0, 5), "5 bytes are too few for a header");
  fails(new Uint8Array(0), "0 bytes are too few for a header");
});

Deno.test("a file of another format says so", () => {
  fails(
    new TextEncoder().encode("PK\u0003\u0004 is how an archive begins"),
    "the file is cut off, or of another format",
  );
  fails(fileOf("not JSON"), "the header is no JSON");
  fails(fileOf("null"), "the header is no JSON object");
  for (
    const entry of [
      "null",
      '{"dtype":"F32","shape":[1]}',
      '{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}',
      '{"dtype":"F32","shape":[1],"data_offsets":[0]}',
      '{"shape":[1],"data_offsets":[0,4]}',
    ]
  ) {
    fails(
      fileOf(`{"x":${entry}}`, 4),
      `the header says of "x" ${entry}, which`,
    );
  }
  fails(
    fileOf('{"x":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}', 4),
    '"x" is F8_E4M3; F64, F32, F16, BF16, I64, I32, BOOL are read',
  );
  fails(
    fileOf('{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', 4),
    '"x" of shape [2] F32 needs 8 bytes; its range 0 … 4 doesn\'t fit',
  );
});
