/** Timers of nodes that are killed: each rings once, in time, and never when it was cancelled before. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Client, connect, type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import type { TimerRecord } from "../../runtime/core/records.ts";
import { reminder } from "./actors.ts";
import { Journal, type Space, small } from "./journal.ts";
import { balanced, eventually, killAll, longMs, NodeProcess, tell } from "./processes.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterEach(killAll);
afterAll(() => server.stop());

const timersPerActor = 5;

/** Sets timers that come due evenly from `fromMs` to `toMs`, counted from now; every fourth of an actor is cancelled at once. */
async function setTimers(client: Client, actors: number, fromMs: number, toMs: number): Promise<void> {
  const total = actors * timersPerActor;
  const startMs = Date.now();
  await Promise.all(
    Array.from({ length: total }, async (_, i) => {
      const ref = reminder.ref(`r${i % actors}`);
      const n = Math.floor(i / actors);
      const dueMs = startMs + fromMs + Math.round((i * (toMs - fromMs)) / total);
      await client.send(ref, { type: "SET", n, delayMs: Math.max(0, dueMs - Date.now()) });
      if (n % 4 === 3) await client.send(ref, { type: "CANCEL", n });
    }),
  );
}

/** Resolves when all that should ring has rung; names the actors in which something else has. */
async function allRung(journal: Journal, actors: number): Promise<string[]> {
  const wanted = Array.from({ length: timersPerActor }, (_, n) => n).filter((n) => n % 4 !== 3);
  const rungOf = (i: number): number[] => journal.contextOf<{ rung: number[] }>(`reminder/r${i}`)?.rung ?? [];
  await eventually(() => {
    for (let i = 0; i < actors; i++) {
      if (rungOf(i).length < wanted.length) throw new Error(`reminder/r${i} has rung ${JSON.stringify(rungOf(i))}`);
    }
  }, longMs);
  return Array.from({ length: actors }, (_, i) => i)
    .filter((i) => JSON.stringify(rungOf(i)) !== JSON.stringify(wanted))
    .map((i) => `reminder/r${i} has rung ${JSON.stringify(rungOf(i))}`);
}

/** By how much timers rang late: from their time, or from when their partition was taken over if that was later, to their commit, by the server's clock. */
function latenessMs(
  journal: Journal,
  { partitions }: Space,
): { readonly usual: number[]; readonly afterTakeover: number[] } {
  const times = new Map(journal.records.core.map((record) => [record.seq, record.timeMs]));
  const due = new Map<string, number>();
  for (const { subject, data } of journal.records.core) {
    const parsed = journal.subjects.parseTimer(subject);
    if (parsed === undefined) continue;
    const { at } = JSON.parse(Buffer.from(data).toString()) as TimerRecord;
    due.set(`${parsed.of.type}/${parsed.of.id} timer-${parsed.timer}`, at);
  }
  const usual: number[] = [];
  const afterTakeover: number[] = [];
  for (const actor of journal.actors) {
    const id = actor.slice(actor.indexOf("/") + 1);
    const leases = journal.leasesOf(partitionOf(reminder.ref(id), partitions)).filter(({ owner }) => owner !== "");
    for (const { seq, state } of journal.commitsOf(actor)) {
      const takenMs = times.get(leases.filter((lease) => lease.seq < seq).at(-1)?.seq ?? 0) ?? 0;
      for (const { message } of state.handled) {
        const atMs = due.get(`${actor} ${message}`);
        if (atMs === undefined) continue;
        const late = (times.get(seq) ?? 0) - Math.max(atMs, takenMs);
        (atMs < takenMs ? afterTakeover : usual).push(late);
      }
    }
  }
  return { usual, afterTakeover };
}

describe("a node that is killed while timers come due", () => {
  it("is replaced by one that fires what came due meanwhile, at once, and the others when they are due", async () => {
    const space: Space = { servers: server.url, space: "timer-kill", partitions: 16 };
    const actors = 400;
    const journal = await Journal.open(space);
    const [first, second] = await Promise.all([
      NodeProcess.start({ ...space, historyDepth: 64, name: "first" }),
      NodeProcess.start({ ...space, historyDepth: 64, name: "second" }),
    ]);
    await balanced([first, second], space.partitions);
    const client = await connect({ ...space, ...small, assumeSyncAlways: true, actors: [reminder] });
    await setTimers(client, actors, 8000, 18_000);
    await eventually(() => {
      if (latenessMs(journal, space).usual.length < 200) throw new Error("Fewer than 200 timers have rung.");
    }, longMs);
    await first.kill();

    expect(await allRung(journal, actors)).toEqual([]);
    const { usual, afterTakeover } = latenessMs(journal, space);
    expect(usual.length + afterTakeover.length).toBe(actors * 4);
    expect(afterTakeover.length).toBeGreaterThan(50);
    expect(Math.min(...usual)).toBeGreaterThanOrEqual(0);
    usual.sort((a, b) => a - b);
    tell("timers late, median", usual[Math.floor(usual.length / 2)] as number);
    tell("timers late, p99", usual[Math.floor(usual.length * 0.99)] as number);
    tell("from the lease to the last timer that had come due before", Math.max(...afterTakeover));
    expect(Math.max(...afterTakeover)).toBeLessThan(5000);
    expect((await second.stats()).counters).toMatchObject({ deadLetters: 0 });
    await second.stop();
    await Promise.all([client.close(), journal.close()]);
  });

  it.each(["timer.armed:40", "timer.before:40"] as const)("loses none of them, at %s", async (fault) => {
    const space: Space = { servers: server.url, space: fault.replace(/[.:]/g, "-"), partitions: 4 };
    const actors = 20;
    const journal = await Journal.open(space);
    const options = { ...space, historyDepth: 64, name: "node", checkpointEvery: "150 millis" } as const;
    const client = await connect({ ...space, ...small, assumeSyncAlways: true, actors: [reminder] });
    const node = await NodeProcess.start({ ...options, fault });
    await setTimers(client, actors, 500, 2500);
    await node.ended();
    expect(node.end).toBe("SIGKILL");
    const again = await NodeProcess.start(options);
    expect(await allRung(journal, actors)).toEqual([]);
    await again.stop();
    await Promise.all([client.close(), journal.close()]);
  });
});
