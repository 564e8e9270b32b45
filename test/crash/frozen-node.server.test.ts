/** A node that is frozen for longer than its lease, and wakes up (I5). */
import { performance } from "node:perf_hooks";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedServer, type NodeStats, startEmbeddedServer } from "../../index.ts";
import { Journal } from "./journal.ts";
import { Load } from "./load.ts";
import type { Flaws } from "./node-process.ts";
import { balanced, killAll, NodeProcess, openedAll, tell } from "./processes.ts";

const partitions = 8;

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterEach(killAll);
afterAll(() => server.stop());

describe("a node that is frozen beyond its lease", () => {
  it("commits nothing new after the takeover when it wakes up, and has its share again by itself", async () => {
    const { journal, sleeper, freezes } = await freezeAgainAndAgain("frozen", {});

    // What was half written to the socket when it was frozen is written to its end when it wakes up: one commit for each time at the most,
    // decided before, and let through by the fences of its actors only because nobody has committed to them since.
    const late = lateCommits(journal);
    expect(late.filter(({ decidedAt }) => !freezes.some((at) => decidedAt <= at && at - decidedAt < 2_000))).toEqual(
      [],
    );
    expect(new Set(late.map(({ commit }) => commit)).size).toBeLessThanOrEqual(freezes.length);
    expect((await sleeper.stats()).counters.takeovers).toBe(0);
    await sleeper.stop();
    await journal.close();
  });

  it("is fenced at every commit when neither its clock nor the leases tell it what it lost", async () => {
    const { journal, sleeper, other } = await freezeAgainAndAgain("fenced", { rate: 0.001, deafMs: 1_200 });

    // Both have tried to commit to the same actors, or this shows nothing.
    const fenced = (await sleeper.stats()).counters.conflicts + other.counters.conflicts;
    process.stdout.write(`  measured: ${fenced} commits were fenced\n`);
    expect(fenced).toBeGreaterThan(0);
    await sleeper.stop();
    await journal.close();
  });
});

/** Freezes one of two nodes until the other has all partitions, three times; what the log holds then is in order. */
async function freezeAgainAndAgain(
  name: string,
  flaws: Flaws,
): Promise<{
  readonly journal: Journal;
  readonly sleeper: NodeProcess;
  readonly other: NodeStats;
  /** When it was frozen, milliseconds since 1970. */
  readonly freezes: readonly number[];
}> {
  const freezes: number[] = [];
  const space = { servers: server.url, space: name, partitions };
  const journal = await Journal.open(space);
  const options = { ...space, historyDepth: 64, purgeEvery: "1 hour", lease: 1_500 } as const;
  const [sleeper, other] = await Promise.all([
    NodeProcess.start({ ...options, name: "sleeper", flaws }),
    NodeProcess.start({ ...options, name: "other" }),
  ]);
  const shares = await balanced([sleeper, other], partitions);
  const load = await Load.connect(space);
  for (const round of [1, 2, 3]) {
    const target = load.settled + 300;
    const running = load.run(900);
    await load.reached(target);
    const frozenMs = performance.now();
    sleeper.freeze();
    freezes.push(Date.now() + 50);
    const takenMs = await openedAll(other, shares.get("sleeper") ?? [], frozenMs);
    tell(`round ${round}, from SIGSTOP to the last partition taken over`, takenMs);
    // It wakes up while the other one is at work.
    const more = load.run(300);
    sleeper.thaw();
    await Promise.all([running, more]);
    expect(await balanced([sleeper, other], partitions)).toEqual(shares);
  }
  await load.run(100);
  await journal.settled();
  expect(load.check(journal)).toEqual([]);
  expect(journal.check()).toEqual([]);
  const stats = await other.stats();
  await other.stop();
  await load.close();
  return { journal, sleeper, other: stats, freezes };
}

interface LateCommit {
  readonly actor: string;
  readonly seq: number;
  readonly commit: string;
  readonly owner: string;
  /** When the last of its messages was decided, milliseconds since 1970. */
  readonly decidedAt: number;
}

/** Commits to a partition by another process than the one that owned it at that place in the log. */
function lateCommits(journal: Journal): LateCommit[] {
  const late: LateCommit[] = [];
  const leases = Array.from({ length: partitions }, (_, partition) => journal.leasesOf(partition));
  for (const actor of journal.actors) {
    for (const { seq, partition, state } of journal.commitsOf(actor)) {
      const owner = leases[partition]?.findLast((lease) => lease.seq < seq)?.owner ?? "";
      const { commit } = state;
      const token = commit.slice(0, commit.lastIndexOf("-"));
      if (owner === "" || owner.endsWith(`:${token}`)) continue;
      late.push({ actor, seq, commit, owner, decidedAt: Math.max(...state.handled.map(({ at }) => at)) });
    }
  }
  return late;
}
