import { describe, expect, it } from "vitest";
import { createMemoryBroker } from "../../runtime/memory/memory-broker.ts";
import { VirtualTime } from "../../runtime/memory/virtual-time.ts";
import { observe, record } from "../contract/observe.ts";

describe("a reader of an empty stream", () => {
  it("has caught up also when a record comes before it has begun, whatever the seed", async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const time = new VirtualTime({ seed });
      const broker = createMemoryBroker({ time });
      const { log } = broker.connect("reader");
      const seen = observe(log, "core", ["sw.x.core.>"], "last-per-subject");
      await time.advance(seed / 20);
      const stored = broker.connect("writer").log.append("core", [record("sw.x.core.a", "1")]);
      await time.advance(1000);
      expect((await stored)._tag).toBe("Appended");
      expect(seen.caughtUpAt).toHaveLength(1);
      expect(seen.texts()).toEqual(["1"]);
    }
  });
});
