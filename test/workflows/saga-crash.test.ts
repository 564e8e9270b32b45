/**
 * The crash matrix of a saga with six steps, a parallel branch and a pivot: its node is killed at every instant of its way, forward and backward.
 *
 * Whatever happens, it comes to exactly one of completed, fully compensated, visibly parked; and every service was called under one key for doing and one for undoing.
 */
import { describe, expect, test } from "vitest";
import { createTestSystem } from "../../actors/test-system.ts";
import { type FaultPoint, faultPoints } from "../../runtime/engine/faults.ts";
import { ServiceLedger } from "./saga-ledger.ts";
import { orderSaga, steps, type Trouble } from "./saga-order.ts";

/** Runs one case. `crash` arms the crash of the first node; `isCrashed` of the result says whether it came to it. */
async function runCase(
  trouble: Trouble,
  crash: { readonly point: FaultPoint; readonly count: number } | { readonly call: number } | undefined,
  seed: number,
) {
  const ledger = new ServiceLedger();
  let calls = 0;
  const order = orderSaga(
    ledger,
    trouble,
    (ms) => system.sleep(ms),
    () => {
      calls++;
      if (crash !== undefined && "call" in crash && calls === crash.call) system.nodes[0]?.crash();
    },
  );
  const system = await createTestSystem({ actors: [order], partitions: 1, seed });
  const { client, run, time } = system;
  const [node] = system.nodes as [(typeof system.nodes)[number]];
  await system.advance(500);
  if (crash !== undefined && "point" in crash) node.crashAt(crash.point, crash.count);
  let isOver = false;
  const life = async () => {
    const started = await order.start(client, { id: "1" }, { key: "o1", timeout: 120_000 });
    const isEnded = client.waitFor(started.ref, (view) => view.status !== "active" || view.hasTag("stuck"), {
      timeout: 600_000,
    });
    if (trouble.cancelAfterMs !== undefined) {
      await system.sleep(trouble.cancelAfterMs);
      await started.cancel({ reason: "a test", timeout: 120_000 });
    }
    await isEnded;
    return started;
  };
  const living = life().finally(() => {
    isOver = true;
  });
  living.catch(() => {});
  await time.runUntil(() => isOver || node.isCrashed);
  if (node.isCrashed) await system.startNode();
  // It has come to its end: the case is not one of a crash on the way.
  else node.crashAt("read", Number.POSITIVE_INFINITY);
  const started = await run(living);
  await system.advance(60_000); // what is still under way in the process that is gone comes to its end
  const status = await run(started.status());
  return { system, order, started, ledger, status, isCrashed: node.isCrashed };
}

async function checkCase(
  trouble: Trouble,
  crash: Parameters<typeof runCase>[1],
  seed: number,
  expected: readonly string[],
): Promise<boolean> {
  const { system, order, started, ledger, status, isCrashed } = await runCase(trouble, crash, seed);
  const { client, run } = system;
  const name = JSON.stringify({ trouble, crash, status, calls: ledger.calls });
  expect(expected, name).toContain(status);
  expect(ledger.violations(steps), name).toEqual([]);
  if (status === "completed") expect(ledger.inForce(), name).toEqual([...steps].sort());
  else if (status === "stuck") {
    const letters = await run(client.deadLetters.list("type:order"));
    expect(
      letters.map(({ event }) => event),
      name,
    ).toEqual(["saga.retry"]);
    expect(
      (await run(order.list(client, { status: "stuck" }))).map(({ key }) => key),
      name,
    ).toEqual(["o1"]);
    expect(ledger.inForce(), name).toEqual([trouble.undoFails]);
    const decided = await run(order.markDone(client, "o1", trouble.undoFails as string, { note: "by hand" }));
    expect(decided, name).toMatchObject({ isTaken: true, closed: [letters[0]?.letter] });
    await expect(run(started.result()), name).rejects.toMatchObject({ _tag: "SagaCompensatedError" });
    expect(await run(client.deadLetters.list("type:order")), name).toEqual([]);
  } else expect(ledger.inForce(), name).toEqual([]);
  await system.stop();
  return isCrashed;
}

const troubles: ReadonlyArray<readonly [name: string, trouble: Trouble, expected: readonly string[]]> = [
  ["forward", {}, ["completed"]],
  ["back from the first step", { fails: { step: "reserve", how: "refused" } }, ["compensated"]],
  ["back from a branch", { fails: { step: "label", how: "after" } }, ["compensated"]],
  ["back from the other branch", { fails: { step: "card", how: "refused" } }, ["compensated"]],
  ["back from the pivot, which has not happened", { fails: { step: "capture", how: "refused" } }, ["compensated"]],
  ["back from the pivot, which has happened", { fails: { step: "capture", how: "after" } }, ["compensated"]],
  ["cancelled in the branches", { cancelAfterMs: 70 }, ["cancelled", "completed"]],
  ["an undo that fails for good", { fails: { step: "label", how: "before" }, undoFails: "reserve" }, ["stuck"]],
];

// The instants that belong to taking over and to cleaning are reached by time, not by steps: a few of each are enough.
const most: Partial<Record<FaultPoint, number>> = {
  "checkpoint.before": 3,
  "checkpoint.after": 3,
  purged: 3,
  "lease.taken": 1,
  drained: 1,
};

let total = 0;

describe.each(troubles)("a saga whose node is killed, %s", (_, trouble, expected) => {
  test("comes to its end at every fault point", async () => {
    let cases = 0;
    for (const point of faultPoints) {
      for (let count = 1; count <= (most[point] ?? 100); count++) {
        const isCrashed = await checkCase(trouble, { point, count }, count, expected);
        if (!isCrashed) break;
        cases++;
      }
    }
    expect(cases).toBeGreaterThan(8);
    total += cases;
  }, 120_000);

  test("comes to its end when it is killed within any call of a service", async () => {
    let cases = 0;
    for (let call = 1; call <= 100; call++) {
      const isCrashed = await checkCase(trouble, { call }, call, expected);
      if (!isCrashed) break;
      cases++;
    }
    expect(cases).toBeGreaterThan(0);
    total += cases;
  }, 120_000);
});

test("there were hundreds of crashes", () => {
  expect(total).toBeGreaterThan(300);
});
