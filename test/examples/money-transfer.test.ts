import { expect, test } from "vitest";
import { createTestSystem } from "../../actors/test-system.ts";
import { account, transfer } from "../../examples/money-transfer/main.ts";

const points = ["read", "decided", "commit.before", "commit.after", "answered"] as const;

/** Numbers that look random and are the same each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

test("no money is lost or made by 200 random transfers while nodes crash", async () => {
  const next = numbers(7);
  const system = await createTestSystem({ actors: [account, transfer], nodes: 2 });
  const { client, run } = system;
  const names = ["a", "b", "c", "d", "e", "closed"];
  for (const name of names) await run(client.create(account.ref(name), { balance: 100 }));
  await run(client.ask(account.ref("closed"), { type: "CLOSE" }));
  const balances = () =>
    Promise.all(names.map(async (name) => (await client.get(account.ref(name)))?.context.balance ?? Number.NaN));
  const statuses = new Map<string, number>();
  // What the accounts must come to, from the transfers that say that they are completed.
  const expected = new Map(names.map((name) => [name, 100]));

  let crashes = 0;
  for (let batch = 0; batch < 10; batch += 1) {
    const victim = system.nodes.at(-1);
    victim?.crashAt(points[next(points.length)] as (typeof points)[number], 1 + next(40));
    const runs = [];
    for (let index = 0; index < 20; index += 1) {
      const from = names[next(5)] as string;
      const to = names.filter((name) => name !== from)[next(5)] as string;
      const input = { id: `${batch}-${index}`, from, to, amount: 1 + next(60) };
      runs.push({ input, started: transfer.start(client, input) });
    }
    for (const { input, started } of runs) {
      const handle = await run(started);
      await run(handle.result().catch(() => undefined));
      const status = await run(handle.status());
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status !== "completed") continue;
      expected.set(input.from, (expected.get(input.from) ?? 0) - input.amount);
      expected.set(input.to, (expected.get(input.to) ?? 0) + input.amount);
    }
    const held = await run(balances());
    expect(held.reduce((sum, balance) => sum + balance, 0)).toBe(600);
    expect(Math.min(...held)).toBeGreaterThanOrEqual(0);
    if (victim?.isCrashed === true) crashes += 1;
    victim?.crash();
    await system.startNode();
  }

  // In the middle of a batch, at the point that was planned.
  expect(crashes).toBeGreaterThan(3);
  expect(await run(balances())).toEqual([...expected.values()]);
  expect((statuses.get("completed") ?? 0) + (statuses.get("compensated") ?? 0)).toBe(200);
  expect(statuses.get("compensated")).toBeGreaterThan(20);
  expect(statuses.get("completed")).toBeGreaterThan(20);
  await system.stop();
}, 60_000);
