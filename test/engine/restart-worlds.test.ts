/**
 * Children that fail while nodes crash at every fault point: each failure begins the child again once, what comes for it is taken once and in order, and the parent
 * hears of a failure only when the policy is exhausted.
 *
 * `STATEWRIGHT_SEEDS` sets how many worlds there are (a two-hundredth of it), `STATEWRIGHT_SEED` where drawing begins.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createTestSystem } from "../../actors/test-system.ts";
import { parseAddress, partitionOf } from "../../runtime/core/address.ts";
import { decodeRecord, type HandledMessage, type StateRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { type FaultPoint, faultPoints } from "../../runtime/engine/faults.ts";
import { ActorReplay } from "../../runtime/engine/replay.ts";
import type { Log, LogRecord } from "../../runtime/log/log.ts";
import { orderOf } from "./restart-actors.ts";

const child = "order/1/~payment";
const maxAttempts = 4;
/** Held in memory, and in line. */
const delays = [0, 300, 4000];

type Step =
  | { readonly do: "add" | "break" | "show" }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "crash"; readonly point: FaultPoint; readonly count: number };

interface Plan {
  readonly seed: number;
  readonly delayMs: number;
  readonly steps: readonly Step[];
}

const plans: fc.Arbitrary<Plan> = fc.record({
  seed: fc.noShrink(fc.integer({ min: 1, max: 0x7fffffff })),
  delayMs: fc.constantFrom(...delays),
  steps: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("add" as const, "break" as const, "show" as const) }) },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(5, 60, 400, 3000, 6000) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant("crash" as const),
          point: fc.constantFrom(...faultPoints),
          count: fc.constantFrom(1, 1, 2, 5),
        }),
      },
    ),
    { minLength: 3, maxLength: 12, size: "max" },
  ),
});

/** What must come of a plan, whoever dies meanwhile. */
function expectedOf({ steps }: Plan) {
  let items = ["first"];
  const shown: string[][] = [];
  let failures = 0;
  let error: string | undefined;
  for (const [i, step] of steps.entries()) {
    if (error !== undefined) break;
    if (step.do === "add") items = [...items, `${i}`];
    else if (step.do === "show") shown.push(items);
    else if (step.do === "break") {
      failures++;
      if (failures === maxAttempts) error = `${i}`;
      else items = ["first"];
    }
  }
  return { items, shown, failures, error };
}

async function statesOf(log: Log): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  const address = parseAddress(child);
  for await (const record of log.scan("core", new Subjects("test").state(partitionOf(address, 1), address))) {
    all.push(record);
  }
  return all;
}

async function live(plan: Plan): Promise<void> {
  const { seed, delayMs, steps } = plan;
  const definition = orderOf({ payment: { backoff: "fixed", base: delayMs, maxAttempts } });
  const settings = { checkpointMs: 100 };
  const system = await createTestSystem({ actors: [definition], partitions: 1, seed, settings });
  const { run, client, advance } = system;
  await run(client.send("order/1", { type: "OPEN" }));
  await advance(500);
  for (const [i, step] of steps.entries()) {
    if (step.do === "wait") await advance(step.ms);
    else if (step.do === "crash") {
      system.nodes.at(-1)?.crashAt(step.point, step.count);
      await system.startNode();
    } else {
      const type = { add: "ADD", break: "BREAK", show: "SHOW" }[step.do];
      await run(client.send(child, { type, item: `${i}`, why: `${i}` }));
    }
  }
  for (let i = 0; i < 3; i++) {
    await advance(20_000);
    if (i === 0) await system.startNode();
  }
  const expected = expectedOf(plan);
  const found = await run(client.get(child));
  const order = await run(client.get("order/1"));
  expect(found?.status).toBe(expected.error === undefined ? "active" : "error");
  expect(order?.context).toEqual({
    shown: expected.shown,
    errors: expected.error === undefined ? [] : [expected.error],
  });
  if (expected.error === undefined) expect(found?.context).toEqual({ items: expected.items });
  expect(await run(client.deadLetters.list())).toHaveLength(expected.failures);
  const records = await run(statesOf(system.broker.connect("reader").log));
  const states = records.map((record) => decodeRecord<StateRecord>("a state", record.data));
  const handled = states.flatMap((state): readonly HandledMessage[] => state.handled);
  const restarts = handled.filter(({ event, outcome }) => event === "statewright.restart" && outcome === "applied");
  expect(restarts).toHaveLength(Math.min(expected.failures, maxAttempts - 1));
  const last = states.at(-1);
  expect(last?.waiting).toBeUndefined();
  const replay = new ActorReplay(definition, parseAddress(child));
  for (const record of records) replay.add(record);
  const { result, first } = replay.end();
  expect([result, first?.differences]).toEqual(["same", first?.differences]);
  // Whoever has not crashed yet lives.
  for (const node of system.nodes) node.crashAt("read", Number.POSITIVE_INFINITY);
  await system.stop();
}

const runs = Math.max(1, Math.ceil(Number(process.env.STATEWRIGHT_SEEDS ?? 10_000) / 200));

test(`${runs} worlds in which children fail and nodes crash`, { timeout: 600_000 }, async () => {
  await fc.assert(fc.asyncProperty(plans, live), {
    numRuns: runs,
    seed: Number(process.env.STATEWRIGHT_SEED ?? 1),
    endOnFailure: false,
  });
});
