/**
 * Layers to and from named arrays, under their index in the whole network.
 *
 * @module
 */

import { type Tensor, tensor, type TypedArray } from "../tensor/internal.ts";
import { layerShapes, type PartShapes } from "./layer_initialization.ts";
import {
  type StackConfiguration,
  stackLayers,
  stackNames,
  type StackParameters,
} from "./layer_stacks.ts";
import {
  type ArrayWriter,
  type NamedArrays,
  transposed,
} from "./named_arrays.ts";
import type { LayerParameters } from "./sublayers.ts";

/** How a file names the parts of layers. */
export interface LayerNames {
  /** What stands before the names of layer n. */
  readonly prefix: (n: number) => string;
  /** Of each part; `attentionInput` has three where they are stored apart. */
  readonly parts: Readonly<Record<string, string | readonly string[]>>;
  /** How linear layers are stored: as here, or as torch's `Linear`. */
  readonly layout: "in-out" | "out-in";
}

/** A weight `[in, out]` or bias `[out]` of one layer, in pieces of columns. */
interface Piece {
  readonly name: string;
  /** Rows of the whole; 1 for a bias. */
  readonly rows: number;
  /** Columns of the whole. */
  readonly columns: number;
  /** Its first column. */
  readonly from: number;
  /** Its columns. */
  readonly width: number;
  /** As the file has it. */
  readonly shape: readonly number[];
  /** `[width, rows]` in the file. */
  readonly turned: boolean;
}

function piecesOf(
  { prefix, parts, layout }: LayerNames,
  layer: number,
  part: string,
  kind: "weight" | "bias",
  shape: readonly number[],
): Piece[] {
  const names = [parts[part]].flat();
  const columns = shape[shape.length - 1];
  const rows = shape.length === 2 ? shape[0] : 1;
  const width = columns / names.length;
  const turned = layout === "out-in" && shape.length === 2;
  return names.map((name, i) => ({
    name: `${prefix(layer)}${name}.${kind}`,
    rows,
    columns,
    from: i * width,
    width,
    shape: shape.length === 1
      ? [width]
      : turned
      ? [width, rows]
      : [rows, width],
    turned,
  }));
}

/** Consecutive layers, the first of index `first`, as a stack. */
export function loadLayers(
  arrays: NamedArrays,
  shapes: PartShapes,
  names: LayerNames,
  { first, count }: { readonly first: number; readonly count: number },
): LayerParameters {
  if (count === 0) return {} as LayerParameters;
  const stacked = (
    part: string,
    kind: "weight" | "bias",
    shape: readonly number[],
  ): Tensor => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    let values: TypedArray = new Float32Array(0);
    for (let i = 0; i < count; i++) {
      for (const piece of piecesOf(names, first + i, part, kind, shape)) {
        const given = arrays.take(piece.name, piece.shape);
        if (values.length === 0) {
          values = given instanceof Float64Array
            ? new Float64Array(count * size)
            : new Float32Array(count * size);
        }
        readPiece(piece, given, values.subarray(i * size, (i + 1) * size));
      }
    }
    return tensor(values, { shape: [count, ...shape] });
  };
  return Object.fromEntries(
    Object.entries(shapes).map(([part, { weight, bias }]) => [part, {
      weight: stacked(part, "weight", weight),
      bias: stacked(part, "bias", bias),
    }]),
  ) as unknown as LayerParameters;
}

/** Layers from arrays, dealt out to the stacks in order. */
export function loadStacks(
  arrays: NamedArrays,
  configuration: StackConfiguration,
  names: LayerNames,
): StackParameters {
  const shapes = layerShapes(configuration);
  const counts = stackLayers(configuration);
  let first = 0;
  const load = (count: number): LayerParameters => {
    const layers = loadLayers(arrays, shapes, names, { first, count });
    first += count;
    return layers;
  };
  const before = load(counts.before);
  const block = load(counts.block);
  return { before, block, after: load(counts.after) };
}

function readPiece(
  { rows, columns, from, width, turned }: Piece,
  given: TypedArray,
  whole: TypedArray,
): void {
  const values = turned ? transposed(given, width, rows) : given;
  for (let row = 0; row < rows; row++) {
    whole.set(
      values.subarray(row * width, (row + 1) * width),
      row * columns + from,
    );
  }
}

/** Puts the layers of a stack, the first of index `first`. */
export async function saveLayers(
  writer: ArrayWriter,
  shapes: PartShapes,
  names: LayerNames,
  { first, count }: { readonly first: number; readonly count: number },
  parameters: LayerParameters,
): Promise<void> {
  for (const [part, affine] of Object.entries(parameters)) {
    for (const kind of ["weight", "bias"] as const) {
      const shape = shapes[part][kind];
      const values = await affine[kind].data();
      const size = values.length / count;
      for (let i = 0; i < count; i++) {
        const layer = values.subarray(i * size, (i + 1) * size);
        for (const piece of piecesOf(names, first + i, part, kind, shape)) {
          writer.put(piece.name, writePiece(piece, layer), piece.shape);
        }
      }
    }
  }
}

/** Puts the layers of all stacks. */
export async function saveStacks(
  writer: ArrayWriter,
  configuration: StackConfiguration,
  names: LayerNames,
  parameters: StackParameters,
): Promise<void> {
  const shapes = layerShapes(configuration);
  const counts = stackLayers(configuration);
  let first = 0;
  for (const stack of stackNames) {
    const count = counts[stack];
    const range = { first, count };
    await saveLayers(writer, shapes, names, range, parameters[stack]);
    first += count;
  }
}

function writePiece(
  { rows, columns, from, width, turned }: Piece,
  whole: TypedArray,
): TypedArray {
  const values = whole.slice(0, rows * width);
  for (let row = 0; row < rows; row++) {
    const start = row * columns + from;
    values.set(whole.subarray(start, start + width), row * width);
  }
  return turned ? transposed(values, rows, width) : values;
}
