/** What is to be encoded: rows of samples as PNG has them. */
export interface PngImage {
  readonly width: number;
  readonly height: number;
  /** 0 grey, 2 colours, 3 palette, 4 grey and alpha, 6 colours and alpha. */
  readonly colour: number;
  readonly depth: number;
  /** Rows of packed bytes. */
  readonly rows: readonly (readonly number[])[];
  /** Of each row in turn; default: all are 0. */
  readonly filters?: readonly number[];
  readonly interlace?: number;
  /** Other chunks, by type: before the pixels. */
  readonly chunks?: Readonly<Record<string, readonly number[]>>;
}

/** Bytes of a pixel, at least one: how far to the left filters look. */
function pixelBytes({ colour, depth }: PngImage): number {
  const samples = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[colour]!;
  return Math.ceil(samples * depth / 8);
}

/** The bytes of rows with a filter before each, as the standard says it. */
function filtered(image: PngImage): Uint8Array<ArrayBuffer> {
  const step = pixelBytes(image);
  const bytes = image.rows.flatMap((row, y) => {
    const filter = image.filters?.[y % image.filters.length] ?? 0;
    return [
      filter,
      ...row.map((value, x) => {
        const a = row[x - step] ?? 0;
        const b = image.rows[y - 1]?.[x] ?? 0;
        const c = x < step ? 0 : image.rows[y - 1]?.[x - step] ?? 0;
        const nearest = [a, b, c].map((guess) => Math.abs(a + b - c - guess));
        const paeth = [a, b, c][nearest.indexOf(Math.min(...nearest))];
        return value - [0, a, b, Math.floor((a + b) / 2), paeth][filter];
      }),
    ];
  });
  return Uint8Array.from(bytes);
}

/** CRC-32, bit by bit. */
function checksum(bytes: readonly number[]): number {
  let state = ~0;
  for (const byte of bytes) {
    state ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      state = state & 1 ? (state >>> 1) ^ 0xedb88320 : state >>> 1;
    }
  }
  return ~state;
}

function bigEndian(value: number): number[] {
  return [value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255];
}

function chunk(type: string, data: readonly number[]): number[] {
  const bytes = [...new TextEncoder().encode(type), ...data];
  return [...bigEndian(data.length), ...bytes, ...bigEndian(checksum(bytes))];
}

/** A PNG image whose compressed data are in two chunks. */
export async function encodePng(
  image: PngImage,
): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([filtered(image)]).stream()
    .pipeThrough(new CompressionStream("deflate"));
  const data = [...new Uint8Array(await new Response(stream).arrayBuffer())];
  const { width, height, depth, colour, interlace = 0, chunks = {} } = image;
  return Uint8Array.from([
    ...[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
    ...chunk("IHDR", [
      ...bigEndian(width),
      ...bigEndian(height),
      ...[depth, colour, 0, 0, interlace],
    ]),
    ...Object.entries(chunks).flatMap(([type, data]) => chunk(type, data)),
    ...chunk("IDAT", data.slice(0, 5)),
    ...chunk("IDAT", data.slice(5)),
    ...chunk("IEND", []),
  ]);
}
