/** Which timer comes next, when timers come and go at any time. */

/** What a heap holds; an item stands in at most one heap. */
export interface HeapItem {
  /** When it is to be looked at, milliseconds since 1970. Must not change while the item stands in a heap. */
  dueMs: number;
  /** When it was to come at first: of those to be looked at at the same time, the earlier comes first. */
  readonly atMs: number;
  /** Decides between items of the same times. */
  readonly order: number;
  /** Where it stands in the heap; -1: nowhere. Only the heap writes it. */
  heapIndex: number;
}

/** A binary heap that any item can leave. */
export class TimerHeap<T extends HeapItem> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The next item, which stays. */
  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** Takes an item out; it may stand in no heap. */
  remove(item: T): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = this.#items.pop() as T;
    if (last === item) return;
    this.#rise(last, index);
    this.#sink(last, last.heapIndex);
  }

  #rise(item: T, from: number): void {
    let index = from;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#items[above] as T;
      if (!isBefore(item, parent)) break;
      this.#place(parent, index);
      index = above;
    }
    this.#place(item, index);
  }

  #sink(item: T, from: number): void {
    let index = from;
    for (;;) {
      let below = 2 * index + 1;
      const left = this.#items[below];
      if (left === undefined) break;
      const right = this.#items[below + 1];
      if (right !== undefined && isBefore(right, left)) below++;
      const child = this.#items[below] as T;
      if (!isBefore(child, item)) break;
      this.#place(child, index);
      index = below;
    }
    this.#place(item, index);
  }

  #place(item: T, index: number): void {
    this.#items[index] = item;
    item.heapIndex = index;
  }
}

function isBefore(one: HeapItem, other: HeapItem): boolean {
  if (one.dueMs !== other.dueMs) return one.dueMs < other.dueMs;
  return one.atMs === other.atMs ? one.order < other.order : one.atMs < other.atMs;
}
