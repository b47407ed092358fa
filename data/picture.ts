/** One image of 8 bits a value. */
export interface Picture {
  /** 1: grey, 3: red, green and blue. */
  readonly channels: 1 | 3;
  /** Rows. */
  readonly height: number;
  /** Columns. */
  readonly width: number;
  /** `[channels, height, width]` in rows. */
  readonly pixels: Uint8Array;
}
