import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shareOut } from "../../runtime/engine/ownership.ts";

const nodeNames = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 8 });

describe("shareOut", () => {
  it("gives every partition to a node, and every node the same number, give or take one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), nodeNames, (partitions, nodes) => {
        const counts = new Map(nodes.map((node) => [node, 0]));
        for (const node of shareOut(partitions, nodes))
          counts.set(node as string, (counts.get(node as string) ?? 0) + 1);
        expect(counts.size).toBe(nodes.length);
        expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("does not depend on the order in which nodes are named", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), nodeNames, (partitions, nodes) => {
        expect(shareOut(partitions, [...nodes].reverse())).toEqual(shareOut(partitions, nodes));
      }),
    );
  });

  it("moves few partitions when one of four nodes leaves", () => {
    const before = shareOut(64, ["a", "b", "c", "d"]);
    const after = shareOut(64, ["a", "b", "c"]);
    const moved = before.filter((node, partition) => node !== "d" && node !== after[partition]);
    expect(moved.length).toBeLessThanOrEqual(16);
  });

  it("gives nothing away when no node is alive", () => {
    expect(shareOut(3, [])).toEqual([undefined, undefined, undefined]);
  });
});
