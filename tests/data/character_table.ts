/**
 * A table in the form of SentencePiece's `precompiled_charsmap`, of entries from
 * text to text: a double-array trie, filled in the plainest way.
 */
export function characterTable(
  entries: Readonly<Record<string, string>>,
): string {
  interface Node {
    readonly children: Map<number, Node>;
    value?: number;
  }
  const encoder = new TextEncoder();
  const root: Node = { children: new Map() };
  const texts: number[] = [];
  for (const [from, to] of Object.entries(entries)) {
    let node = root;
    for (const byte of encoder.encode(from)) {
      let child = node.children.get(byte);
      if (child === undefined) {
        child = { children: new Map() };
        node.children.set(byte, child);
      }
      node = child;
    }
    node.value = texts.length;
    texts.push(...encoder.encode(to), 0);
  }
  const units = new Map<number, number>([[0, 0]]);
  // Of its own for each node, or one would have another's children.
  const bases = new Set<number>();
  const place = (node: Node, at: number, label: number): void => {
    const labels = [...node.children.keys()];
    if (node.value !== undefined) labels.push(0);
    let base = 1;
    while (bases.has(base) || labels.some((byte) => units.has(base ^ byte))) {
      base++;
    }
    bases.add(base);
    const leaf = node.value === undefined ? 0 : 1 << 8;
    units.set(at, (label | leaf | (at ^ base) << 10) >>> 0);
    for (const byte of labels) units.set(base ^ byte, 0);
    if (node.value !== undefined) {
      units.set(base, (node.value | 1 << 31) >>> 0);
    }
    for (const [byte, child] of node.children) place(child, base ^ byte, byte);
  };
  place(root, 0, 0);
  const count = Math.max(...units.keys()) + 256;
  const bytes = new Uint8Array(4 + 4 * count + texts.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 4 * count, true);
  for (const [at, unit] of units) view.setUint32(4 + 4 * at, unit, true);
  bytes.set(texts, 4 + 4 * count);
  return btoa(String.fromCharCode(...bytes));
}
