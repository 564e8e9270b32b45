/** The events of a simulation, ordered by time and, at the same time, by a number drawn when they were added. */

/** Something that will happen at a virtual time. */
export interface SimulatedEvent {
  readonly atMs: number;
  /** Decides between events of the same time. */
  readonly tie: number;
  readonly label: string;
  readonly isTimer: boolean;
  /** Undefined once it was cancelled or has happened. */
  run: (() => void) | undefined;
}

/** A binary heap of events; cancelled ones are dropped when they come up, or when they are the majority. */
export class EventQueue {
  #heap: SimulatedEvent[] = [];
  #cancelled = 0;

  /** How many events are still to happen. */
  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  push(event: SimulatedEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as SimulatedEvent;
      if (!isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  /** The next event, left in the queue. */
  peek(): SimulatedEvent | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.run !== undefined) return first;
      this.#cancelled--;
      this.#removeFirst();
    }
  }

  /** Takes the next event out. */
  pop(): SimulatedEvent | undefined {
    const first = this.peek();
    if (first !== undefined) this.#removeFirst();
    return first;
  }

  /** Makes sure that the event, which is in the queue, does not happen. */
  cancel(event: SimulatedEvent): void {
    event.run = undefined;
    this.#cancelled++;
    if (this.#cancelled < 256 || this.#cancelled * 2 < this.#heap.length) return;
    const left = this.#heap.filter((each) => each.run !== undefined);
    // An ascending array is a heap.
    this.#heap = left.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.#cancelled = 0;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const moved = heap.pop() as SimulatedEvent;
    const length = heap.length;
    if (length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && isBefore(heap[child + 1] as SimulatedEvent, heap[child] as SimulatedEvent)) child++;
      if (!isBefore(heap[child] as SimulatedEvent, moved)) break;
      heap[at] = heap[child] as SimulatedEvent;
      at = child;
    }
    heap[at] = moved;
  }
}

function isBefore(a: SimulatedEvent, b: SimulatedEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.tie < b.tie);
}
