/** What the code at hand makes of the messages that actors have handled, beside what was made of them then. */
import { afterEach, describe, expect, test } from "vitest";
import { assign, createMachine, sendParent, sendTo, setup } from "xstate";
import { z } from "zod";
import { type AnyActorDefinition, defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { parseAddress, partitionOf } from "../../runtime/core/address.ts";
import type { StateRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import type { StateToMigrate } from "../../runtime/engine/migration.ts";
import { ActorReplay, type ReplayedActor } from "../../runtime/engine/replay.ts";
import type { LogRecord } from "../../runtime/log/log.ts";
import { reply } from "../../runtime/machine/actions.ts";

interface Variation {
  readonly version?: string;
  /** What is added for each item. */
  readonly price?: number;
  readonly open?: string;
  readonly refuses?: boolean;
  readonly throws?: boolean;
  readonly takesNote?: boolean;
  readonly answer?: string;
  readonly migrate?: (state: StateToMigrate) => { value: unknown; context: object };
}

const child = createMachine({
  id: "packer",
  initial: "packing",
  states: {
    packing: { on: { PACK: { actions: sendParent({ type: "PACKED" }) }, DONE: "done" } },
    done: { type: "final" },
  },
  output: { weight: 5 },
});

/** An order, as it is or with something changed. */
function orderOf(change: Variation = {}) {
  const { version, price = 10, open = "open", refuses, throws, takesNote, answer = "thanks", migrate } = change;
  return defineActor("order", {
    machine: setup({
      types: {
        context: {} as { total: number; at: Date; items: Array<{ name: string }>; packed: number; weight: number },
      },
      actors: { packer: child },
      guards: { isRefused: () => refuses === true },
    }).createMachine({
      id: "order",
      ...(version === undefined ? {} : { version }),
      context: { total: 0, at: new Date(5), items: [], packed: 0, weight: 0 },
      initial: open,
      states: {
        [open]: {
          invoke: {
            id: "p",
            src: "packer",
            onDone: { actions: assign({ weight: ({ event }) => (event.output as { weight: number }).weight }) },
          },
          on: {
            ADD: [
              { guard: "isRefused", target: "refused" },
              {
                actions: assign(({ context, event }) => {
                  if (throws === true) throw new Error("no more");
                  return { total: context.total + price, items: [...context.items, { name: event.name }] };
                }),
              },
            ],
            PACK: { actions: sendTo("p", { type: "PACK" }) },
            SEAL: { actions: sendTo("p", { type: "DONE" }) },
            PACKED: { actions: assign({ packed: ({ context }) => context.packed + 1 }) },
            READ: { actions: reply(({ context }) => ({ total: context.total, answer })) },
            ...(takesNote === true ? { NOTE: { actions: reply("noted") } } : {}),
            FAIL: {
              actions: () => {},
              guard: () => {
                throw new Error("always");
              },
            },
          },
        },
        refused: {},
      },
    } as never) as unknown as ReturnType<typeof createMachine>,
    ...(migrate === undefined ? {} : { migrate: { "none->2": migrate } }),
    retry: { maxAttempts: 1 },
  });
}

let system: TestSystem;

async function start(definition: AnyActorDefinition = orderOf()): Promise<void> {
  system = await createTestSystem({ actors: [definition], partitions: 1 });
}

afterEach(() => system.stop());

async function ask(actor: string, ...messages: Array<{ type: string; [field: string]: unknown }>): Promise<void> {
  for (const event of messages) await system.run(system.client.ask(actor, event).catch(() => {}));
  await system.advance(500);
}

async function recordsOf(actor: string): Promise<LogRecord[]> {
  const { log } = system.broker.connect(`reader ${Math.random()}`);
  const address = parseAddress(actor);
  const read = async () => {
    const records: LogRecord[] = [];
    for await (const record of log.scan("core", new Subjects("test").state(partitionOf(address, 1), address))) {
      records.push(record);
    }
    return records;
  };
  return system.run(read());
}

async function replay(actor: string, definition: AnyActorDefinition, records?: LogRecord[]): Promise<ReplayedActor> {
  const found = new ActorReplay(definition, parseAddress(actor));
  for (const record of records ?? (await recordsOf(actor))) found.add(record);
  return found.end();
}

function edited(record: LogRecord, edit: (state: StateRecord) => object): LogRecord {
  return { ...record, data: Buffer.from(JSON.stringify(edit(JSON.parse(Buffer.from(record.data).toString())))) };
}

const same = { result: "same", notReplayable: 0, unknown: new Map(), first: undefined };

describe("with the same code everything is the same:", () => {
  test("events, those that are ignored, answers, and those that died", async () => {
    await start();
    await ask(
      "order/a",
      { type: "ADD", name: "x" },
      { type: "NOTE" },
      { type: "READ" },
      { type: "FAIL" },
      { type: "ADD", name: "y" },
    );
    expect(await replay("order/a", orderOf())).toEqual({ ...same, steps: 5 });
  });

  test("what children send and come to, and the children themselves", async () => {
    await start();
    await ask("order/a", { type: "PACK" }, { type: "SEAL" }, { type: "ADD", name: "x" });
    expect((await system.run(system.client.get("order/a")))?.context).toMatchObject({ packed: 1, weight: 5 });
    // What its child sends may be committed together with what comes next.
    expect(await system.run(system.client.history("order/a"))).toHaveLength(5);
    const records = await recordsOf("order/a");
    expect(await replay("order/a", orderOf(), records)).toEqual({ ...same, steps: records.length });
    expect(await replay("order/a/~p", orderOf())).toEqual({ ...same, steps: expect.any(Number) });
  });

  test("an actor that was made with an input, and repeated messages", async () => {
    const made = defineActor("order", {
      machine: createMachine({ context: ({ input }) => ({ name: (input as { name: string }).name }) }),
      input: z.object({ name: z.string() }),
    });
    await start(made as never);
    await system.run(system.client.create("order/a", { name: "ada" }, { key: "k" }));
    await system.run(system.client.create("order/a", { name: "ada" }, { key: "k" }));
    await system.run(system.client.create("order/a", { name: "bob" }));
    const { steps, ...rest } = await replay("order/a", made);
    expect([rest, steps > 1]).toEqual([same, true]);
  });

  test("messages that were committed together", async () => {
    await start();
    await system.run(
      Promise.all(Array.from({ length: 20 }, (_, i) => system.client.send("order/a", { type: "ADD", name: `${i}` }))),
    );
    await system.advance(1000);
    const { steps, ...rest } = await replay("order/a", orderOf());
    expect([rest, steps < 20]).toEqual([same, true]);
  });

  test("a state that was migrated on the way", async () => {
    await start();
    await ask("order/a", { type: "ADD", name: "x" });
    for (const node of system.nodes) await system.run(node.stop());
    const next = orderOf({ version: "2", open: "begun", migrate: ({ context }) => ({ value: "begun", context }) });
    await system.startNode({ actors: [next] });
    await ask("order/a", { type: "ADD", name: "y" }, { type: "READ" });
    await system.run(system.client.migrate("order/a"));
    expect(await replay("order/a", next)).toMatchObject({ ...same, steps: 4 });
  });
});

describe("with other code the first difference is told:", () => {
  test("the place in the context, before and now, and the event", async () => {
    await start();
    await ask("order/a", { type: "READ" }, { type: "ADD", name: "x" }, { type: "ADD", name: "y" });
    expect(await replay("order/a", orderOf({ price: 12 }))).toEqual({
      result: "differs",
      steps: 3,
      notReplayable: 0,
      unknown: new Map(),
      first: {
        revision: 2,
        events: ["ADD"],
        result: "differs",
        differences: [{ path: "context.total", before: 10, now: 12 }],
        reason: undefined,
      },
    });
  });

  test("another state, of the very message where several were committed together", async () => {
    await start();
    const { client, run } = system;
    await run(
      Promise.all([
        client.send("order/a", { type: "READ" }),
        client.send("order/a", { type: "ADD", name: "x" }),
        client.send("order/a", { type: "READ" }),
      ]),
    );
    await system.advance(1000);
    const { first } = await replay("order/a", orderOf({ refuses: true }));
    expect(first?.differences[0]).toEqual({ path: "value", before: "open", now: "refused" });
    expect(first?.events.at(-1)).toBe("ADD");
  });

  test("an event that is taken now, and an answer that is another", async () => {
    await start();
    await ask("order/a", { type: "NOTE" }, { type: "READ" });
    expect((await replay("order/a", orderOf({ takesNote: true }))).first?.differences).toEqual([
      { path: "outcome", before: "created", now: "applied" },
      { path: "reply", before: undefined, now: "noted" },
    ]);
    const { result, first } = await replay("order/a", orderOf({ answer: "bye" }));
    expect([result, first?.events]).toEqual(["differs", ["READ"]]);
    expect(first?.differences).toEqual([{ path: "reply.answer", before: "thanks", now: "bye" }]);
  });

  test("an event that the schema refuses now, or that throws", async () => {
    await start();
    await ask("order/a", { type: "ADD", name: "x" });
    const thrown = await replay("order/a", orderOf({ throws: true }));
    expect(thrown).toMatchObject({
      result: "fails",
      first: { events: ["ADD"], reason: "ADD cannot be applied. Error: no more." },
    });
    const strict = defineActor("order", {
      machine: machineWithDoor(),
      events: { ADD: z.object({ name: z.number() }) },
    });
    const refused = await replay("order/a", strict);
    expect(refused).toMatchObject({ result: "fails" });
    expect(refused.first?.reason).toMatch(/^ADD cannot be applied\. .*was refused: name/);
  });

  test("values of all kinds, decoded; where an error was thrown is none", async () => {
    const made = (build: () => object) =>
      defineActor("order", {
        machine: setup({}).createMachine({ context: {}, on: { GO: { actions: assign(build) } } }),
      });
    await start(
      made(() => ({
        at: new Date(1),
        map: new Map([["a", 1]]),
        error: new TypeError("x"),
        n: 1n,
        list: [1, 2],
      })) as never,
    );
    await ask("order/a", { type: "GO" });
    const now = made(() => ({
      at: new Date(2),
      map: new Map([["a", 2]]),
      error: new TypeError("x"),
      n: 1n,
      list: [1],
      more: Number.NaN,
    }));
    expect((await replay("order/a", now)).first?.differences).toEqual([
      { path: "context.at", before: new Date(1), now: new Date(2) },
      { path: "context.map", before: new Map([["a", 1]]), now: new Map([["a", 2]]) },
      { path: "context.list[1]", before: 2, now: undefined },
      { path: "context.more", before: undefined, now: Number.NaN },
    ]);
  });

  test("children and delays that are others", async () => {
    const made = (config: object) =>
      defineActor("order", {
        machine: createMachine({ initial: "a", states: { a: { on: { GO: "b" } }, b: config } } as never),
      });
    await start(made({ after: { 100000: "a" }, invoke: { id: "x", src: child } }) as never);
    await ask("order/a", { type: "GO" });
    const { first } = await replay("order/a", made({ after: { 200000: "a" } }));
    expect(first?.differences.map(({ path }) => path)).toEqual([
      "children.x",
      'timers["xstate.after.100000.(machine).b"]',
      'timers["xstate.after.200000.(machine).b"]',
    ]);
  });
});

describe("states of other versions", () => {
  const renamed = { version: "2", open: "begun" } as const;

  test("are migrated on both sides, and differ only where the code does", async () => {
    await start();
    await ask("order/a", { type: "ADD", name: "x" }, { type: "ADD", name: "y" });
    const migrate: Variation["migrate"] = ({ context }) => ({ value: "begun", context });
    expect(await replay("order/a", orderOf({ ...renamed, migrate }))).toEqual({ ...same, steps: 2 });
    const doubled = await replay("order/a", orderOf({ ...renamed, migrate, price: 20 }));
    expect(doubled.first?.differences[0]).toEqual({ path: "context.total", before: 10, now: 20 });
  });

  test("that the newest one cannot be migrated is a failure, whatever came before", async () => {
    await start();
    await ask("order/a", { type: "ADD", name: "x" }, { type: "ADD", name: "y" });
    const migrate: Variation["migrate"] = ({ context }) => {
      if ((context.items as unknown[]).length > 1) throw new Error("too many");
      return { value: "begun", context };
    };
    const found = await replay("order/a", orderOf({ ...renamed, migrate }));
    expect(found).toMatchObject({ result: "fails", first: { revision: 2 } });
    expect(found.first?.reason).toBe(
      'The actor will be parked with its next message. Cannot bring order/a from no version to version 2: migration "none->2" failed: Error: too many.',
    );
    const gone = await replay("order/a", orderOf({ open: "begun" }));
    expect(gone.first?.reason).toContain(
      "The actor will be parked with its next message. Cannot use the state of order/a: the machine has changed since",
    );
  });

  test("an older one that cannot be used any more is only not replayable", async () => {
    await start();
    await ask("order/a", { type: "ADD", name: "x" }, { type: "ADD", name: "y" }, { type: "ADD", name: "z" });
    const migrate: Variation["migrate"] = ({ context }) => {
      if ((context.items as unknown[]).length < 2) throw new Error("too few");
      return { value: "begun", context };
    };
    const found = await replay("order/a", orderOf({ ...renamed, migrate }));
    expect(found).toMatchObject({ result: "same", steps: 3, notReplayable: 2, first: { result: "not replayable" } });
    expect(found.first?.reason).toMatch(/^A state of it cannot be used any more\. .*Error: too few\.$/);
    expect([...found.unknown]).toEqual([["A state of it cannot be used any more.", 2]]);
  });
});

describe("what is not kept is not guessed at:", () => {
  async function twoSteps(): Promise<LogRecord[]> {
    await start();
    await ask("order/a", { type: "ADD", name: "x" }, { type: "ADD", name: "y" });
    return recordsOf("order/a");
  }

  test("the state before", async () => {
    const [, second] = await twoSteps();
    expect(await replay("order/a", orderOf(), [second as LogRecord])).toEqual({ ...same, steps: 0 });
    await ask("order/a", { type: "READ" });
    const [, , third] = await recordsOf("order/a");
    const { result, first, unknown } = await replay("order/a", orderOf(), [
      second as LogRecord,
      edited(third as LogRecord, (state) => ({ ...state, previous: 1 })),
    ]);
    expect([result, first?.reason]).toEqual(["not replayable", "The state before it is not kept any more."]);
    expect([...unknown]).toEqual([["The state before it is not kept any more.", 1]]);
  });

  test("a message that was large", async () => {
    await start();
    await ask("order/a", { type: "ADD", name: "x".repeat(1100) }, { type: "READ" });
    const found = await replay("order/a", orderOf({ price: 99 }));
    expect(found).toMatchObject({ result: "same", steps: 2, notReplayable: 1 });
    expect(found.first?.reason).toBe(
      "What ADD carried is not kept: it was large, came with many others, or was handled by an earlier version of Statewright.",
    );
  });

  test("messages of a commit that held many", async () => {
    const [first, second] = await twoSteps();
    const trimmed = edited(second as LogRecord, (state) => ({ ...state, revision: 9 }));
    const found = await replay("order/a", orderOf({ price: 99 }), [first as LogRecord, trimmed]);
    expect(found).toMatchObject({ result: "differs", steps: 2, notReplayable: 1 });
    const [only] = [await replay("order/a", orderOf(), [first as LogRecord, trimmed])];
    expect(only?.first?.reason).toBe("It came of so many messages at once that not all of them are kept.");
  });

  test("which a busy actor's are not: its records stay small", async () => {
    await start();
    const many = Array.from({ length: 300 }, () => ({ type: "ADD", name: "x".repeat(500) }));
    await system.run(Promise.all(many.map((event) => system.client.send("order/a", event))));
    await system.advance(2000);
    for (const { data } of await recordsOf("order/a")) {
      const { handled } = JSON.parse(Buffer.from(data).toString()) as StateRecord;
      expect(JSON.stringify(handled).length).toBeLessThan(16_384 + 8192 + 1024);
    }
  });
});

function machineWithDoor() {
  return setup({ types: { events: {} as { type: "ADD"; name: number } } }).createMachine({
    id: "order",
    initial: "open",
    states: { open: { on: { ADD: {} } } },
  });
}
