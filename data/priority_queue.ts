/** A binary heap of numbers: `pop` returns the one that comes before all. */
export class PriorityQueue {
  readonly #before: (a: number, b: number) => boolean;
  readonly #items: number[] = [];

  /** An empty queue with a strict order. */
  constructor(before: (a: number, b: number) => boolean) {
    this.#before = before;
  }

  /** The first item, left in place. */
  peek(): number | undefined {
    return this.#items[0];
  }

  /** Adds an item. */
  push(item: number): void {
    const items = this.#items;
    let hole = items.length;
    items.push(item);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.#before(item, items[parent])) break;
      items[hole] = items[parent];
      hole = parent;
    }
    items[hole] = item;
  }

  /** Takes the first item out. */
  pop(): number | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (items.length === 0 || last === undefined) return first;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= items.length) break;
      if (
        child + 1 < items.length && this.#before(items[child + 1], items[child])
      ) child++;
      if (!this.#before(items[child], last)) break;
      items[hole] = items[child];
      hole = child;
    }
    items[hole] = last;
    return first;
  }
}
