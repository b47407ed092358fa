/**
 * How long rows are cut into parts.
 *
 * @module
 */

import type { Gpu } from "./gpu.ts";
import { kernelForm } from "./kernel_form.ts";

/** Teams that keep an adapter busy, and the columns that are worth a team. */
const enough = {
  registers: { teams: 64, columns: 1024 },
  tiled: { teams: 256, columns: 8192 },
} as const;

/** A row in parts of `columns` elements, the last one maybe shorter. */
export interface RowParts {
  /** Number of parts; 1 where there are rows enough, or they are short. */
  readonly count: number;
  /** Elements of a part, a multiple of 4 unless there is but one part. */
  readonly columns: number;
}

/** Cuts rows of `columns` elements so that all of a device has work. */
export function rowParts(
  gpu: Gpu,
  rows: number,
  columns: number,
): RowParts {
  const { teams, columns: least } = enough[kernelForm(gpu, "rows")];
  const count = Math.min(
    Math.ceil(teams / rows),
    Math.floor(columns / least),
  );
  if (count <= 1) return { count: 1, columns };
  const each = Math.ceil(columns / count / 4) * 4;
  return { count: Math.ceil(columns / each), columns: each };
}
