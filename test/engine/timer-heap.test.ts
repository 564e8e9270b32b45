/** A heap of timers against a sorted list. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HeapItem, TimerHeap } from "../../runtime/engine/timer-heap.ts";

const operations = fc.array(
  fc.oneof(
    fc.record({ add: fc.integer({ min: 0, max: 20 }), atMs: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ removeNth: fc.nat(50) }),
    fc.constant("pop" as const),
  ),
  { maxLength: 200 },
);

const sorted = (items: readonly HeapItem[]): HeapItem[] =>
  [...items].sort((a, b) => a.dueMs - b.dueMs || a.atMs - b.atMs || a.order - b.order);

describe("TimerHeap", () => {
  it("always shows the earliest, whatever was added and removed before", () => {
    fc.assert(
      fc.property(operations, (all) => {
        const heap = new TimerHeap<HeapItem>();
        let model: HeapItem[] = [];
        for (const [order, operation] of all.entries()) {
          if (operation === "pop") {
            const { first } = heap;
            if (first !== undefined) heap.remove(first);
            model = sorted(model).slice(1);
          } else if ("add" in operation) {
            const item = { dueMs: operation.add, atMs: operation.atMs, order, heapIndex: -1 };
            heap.add(item);
            model.push(item);
          } else {
            const item = model[operation.removeNth % Math.max(1, model.length)];
            if (item === undefined) continue;
            heap.remove(item);
            heap.remove(item);
            expect(item.heapIndex).toBe(-1);
            model = model.filter((each) => each !== item);
          }
          expect(heap.size).toBe(model.length);
          expect(heap.first).toBe(sorted(model)[0]);
        }
      }),
    );
  });
});
