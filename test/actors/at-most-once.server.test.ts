/** Actors without a state record on a real server. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { connect, defineActor, type EmbeddedServer, reply, startEmbeddedServer, startNode, tell } from "../../index.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterAll(() => server.stop());

it("messages are applied once or not at all, in order, while nodes come and go", async () => {
  const acted: number[] = [];
  const book = defineActor("book", {
    machine: setup({
      types: { context: {} as { got: number[] }, events: {} as { type: "GOT"; n: number } },
    }).createMachine({
      context: { got: [] },
      on: { GOT: { actions: assign({ got: ({ context, event }) => [...context.got, event.n] }) } },
    }),
  });
  const gauge = defineActor("gauge", {
    delivery: "at-most-once",
    machine: setup({
      types: {
        context: {} as { id: string; sum: number },
        input: {} as { id: string },
        events: {} as { type: "READ"; n: number } | { type: "SUM" },
      },
    }).createMachine({
      context: ({ input }) => ({ id: input.id, sum: 0 }),
      on: {
        READ: {
          actions: [
            assign({ sum: ({ context }) => context.sum + 1 }),
            tell(
              book,
              ({ context }) => context.id,
              ({ event }) => ({ type: "GOT", n: event.n }),
            ),
            ({ event }) => {
              acted.push(event.n);
            },
          ],
        },
        SUM: { actions: reply(({ context }) => context.sum) },
      },
    }),
  });
  const where = { servers: server.url, space: "gauges", assumeSyncAlways: true };
  const run = (name: string) => startNode({ ...where, name, partitions: 4, actors: [gauge, book] });
  const first = await run("one");
  const client = await connect({ ...where, actors: [gauge, book] });
  const ids = ["a", "b", "c", "d", "e", "f"];
  // What is asked before the partition has an owner is skipped, and asked again.
  const sumOf = async (id: string): Promise<number> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return Number((await client.ask(gauge.ref(id), { type: "SUM" }, { timeout: "2 seconds" })).reply);
      } catch (error) {
        if (attempt === 10) throw error;
      }
    }
  };
  for (const id of ids) expect(await sumOf(id)).toBe(0);
  const total = 3000;
  const sends: Array<Promise<unknown>> = [];
  let second: Awaited<ReturnType<typeof run>> | undefined;
  for (let n = 0; n < total; n++) {
    sends.push(client.send(gauge.ref(ids[n % ids.length] as string), { type: "READ", n }));
    if (n === 1000) second = await run("two");
    if (n === 2000) await first.stop();
    if (n % 100 === 0) await Promise.all(sends);
  }
  await Promise.all(sends);
  let sum = 0;
  for (const id of ids) sum += await sumOf(id);
  const skipped = first.stats().counters.skipped + (second?.stats().counters.skipped ?? 0);
  const got: number[] = [];
  for (const id of ids) {
    const mine = acted.filter((n) => ids[n % ids.length] === id);
    const view = await client.waitFor(book.ref(id), ({ context }) => context.got.length >= mine.length);
    expect(view.context.got).toEqual(mine);
    expect([...mine].sort((a, b) => a - b)).toEqual(mine);
    got.push(...view.context.got);
  }
  expect(new Set(got).size).toBe(got.length);
  expect(acted.length).toBeGreaterThanOrEqual(total - skipped);
  expect(acted.length).toBeGreaterThan(total / 2);
  // The last owner has begun anew.
  expect(sum).toBeLessThanOrEqual(acted.length);
  await client.close();
  await second?.stop();
});
