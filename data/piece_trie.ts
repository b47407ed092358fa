/** The node from which every walk through a {@linkcode PieceTrie} begins. */
export const rootNode = 0;

/** What a walk finds where there is nothing. */
export const nothing = -1;

/**
 * Pieces of text as paths of UTF-16 units, in a hash table of edges: all
 * pieces that begin at a place of a text are found in one walk.
 */
export class PieceTrie {
  readonly #mask: number;
  readonly #parents: Int32Array;
  readonly #units: Uint16Array;
  readonly #children: Int32Array;
  readonly #pieces: Int32Array;
  #nodes = 1;

  /** A trie of pieces; an empty piece is left out. */
  constructor(pieces: readonly string[]) {
    const edges = pieces.reduce((sum, { length }) => sum + length, 0);
    const slots = 2 ** Math.ceil(Math.log2(2 * edges + 2));
    this.#mask = slots - 1;
    this.#parents = new Int32Array(slots);
    this.#units = new Uint16Array(slots);
    this.#children = new Int32Array(slots).fill(nothing);
    this.#pieces = new Int32Array(edges + 1).fill(nothing);
    pieces.forEach((piece, index) => {
      if (piece !== "") this.#add(piece, index);
    });
  }

  #add(piece: string, index: number): void {
    let node = rootNode;
    for (let i = 0; i < piece.length; i++) {
      const unit = piece.charCodeAt(i);
      const slot = this.#slot(node, unit);
      if (this.#children[slot] === nothing) {
        this.#parents[slot] = node;
        this.#units[slot] = unit;
        this.#children[slot] = this.#nodes++;
      }
      node = this.#children[slot];
    }
    this.#pieces[node] = index;
  }

  /** The slot of an edge, or the free one where it belongs. */
  #slot(node: number, unit: number): number {
    let slot = (Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b)) >>>
        7 & this.#mask;
    while (
      this.#children[slot] !== nothing &&
      (this.#parents[slot] !== node || this.#units[slot] !== unit)
    ) slot = (slot + 1) & this.#mask;
    return slot;
  }

  /** The node that a UTF-16 unit leads to, or `nothing`. */
  child(node: number, unit: number): number {
    return this.#children[this.#slot(node, unit)];
  }

  /** The index of the piece that ends at a node, or `nothing`. */
  piece(node: number): number {
    return this.#pieces[node];
  }
}
