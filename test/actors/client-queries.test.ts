/** Questions to nodes, in memory under virtual time. */
import { afterEach, describe, expect, it } from "vitest";
import { assign, emit, setup } from "xstate";
import { z } from "zod";
import type { ClientContext } from "../../actors/client/context.ts";
import { askNodes, check, preview } from "../../actors/client/queries.ts";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";
import { parseAddress, partitionOf } from "../../runtime/core/address.ts";
import type { Envelope } from "../../runtime/core/envelope.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import { encodeQuery } from "../../runtime/core/queries.ts";
import { decodeRecord, encodeRecord, type LetterRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { publish, reply, tell } from "../../runtime/machine/actions.ts";

let actionsRun = 0;
const account = defineActor("account", {
  machine: setup({
    types: {
      context: {} as { balance: number; note: string },
      events: {} as
        | { type: "PAY"; amount: number }
        | { type: "BAD" }
        | { type: "LOOP" }
        | { type: "NOTE"; size: number },
    },
    actions: {
      mail: () => {
        actionsRun++;
      },
    },
  }).createMachine({
    id: "account",
    context: { balance: 10, note: "" },
    initial: "open",
    states: {
      open: {
        after: { 60000: "closed" },
        on: {
          PAY: {
            guard: ({ context, event }) => context.balance >= event.amount,
            target: "paid",
            actions: [
              assign({ balance: ({ context, event }) => context.balance - event.amount }),
              tell("ledger", "main", ({ event }) => ({ type: "BOOK", amount: event.amount })),
              publish("payments", { type: "PAID" }),
              emit({ type: "PAID" }),
              reply(({ context }) => ({ left: context.balance })),
              "mail",
            ],
          },
          BAD: {
            actions: () => undefined,
            guard: () => {
              throw new TerminalError("No such luck.");
            },
          },
          LOOP: {
            guard: () => {
              for (;;);
            },
            target: "paid",
          },
          NOTE: { actions: assign({ note: ({ event }) => "x".repeat(event.size) }) },
        },
      },
      paid: { after: { 1000: "open" } },
      closed: { type: "final" },
    },
  }),
  events: {
    PAY: z.object({ amount: z.number().positive() }),
    BAD: z.object({}),
    LOOP: z.object({}),
    NOTE: z.object({ size: z.number() }),
  },
});

const subjects = new Subjects("test");
const partitions = 4;
const ada = parseAddress("account/ada");
let system: TestSystem;
afterEach(() => system?.stop());

async function start(options: Partial<TestSystemOptions> = {}): Promise<ClientContext> {
  actionsRun = 0;
  system = await createTestSystem({ actors: [account], partitions, ...options });
  const { log, time } = system.broker.connect("asker");
  return {
    log,
    ingressLimits: log.limits,
    subjects,
    partitions,
    spaceName: "test",
    identity: { core: "c", ingress: "i" },
    time,
    random: () => 0.5,
    sender: "asker",
    clientId: "asker",
    isStopped: false,
  };
}

function message(event: NonNullable<Envelope["event"]>, more: Partial<Envelope> = {}): Envelope {
  return { format: 1, kind: "event", id: "m1", event, sentAt: 1, ...more };
}

async function failure(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  return (await system.run(
    promise.then(
      (value) => Promise.reject(new Error(`Expected a failure, got ${JSON.stringify(value)}.`)),
      (error) => error,
    ),
  )) as Error & Record<string, unknown>;
}

async function letterFor(event: NonNullable<Envelope["event"]>): Promise<LetterRecord> {
  await system.run(system.client.send("account/ada", event));
  await system.advance(5000);
  const [found] = system.broker.journal("core", subjects.deadLetters());
  if (found === undefined) throw new Error("There is no letter.");
  return decodeRecord<LetterRecord>("a letter", found.data);
}

function stored(): string[] {
  return system.broker
    .journal("core")
    .map(({ subject }) => subject)
    .filter((subject) => !/checkpoint|lease|space\.node/.test(subject));
}

describe("a check", () => {
  it("says what the door of the owner's definition says", async () => {
    const context = await start();
    const ask = (envelope: Envelope) => system.run(check(context, ada, envelope));
    expect(await ask(message({ type: "PAY", amount: 3 }))).toEqual({ ok: true });
    expect(await ask(message({ type: "PAY", amount: -3 }))).toEqual({
      ok: false,
      problems: [expect.stringContaining("amount")],
    });
    expect(await ask(message({ type: "PAYY" }))).toMatchObject({
      ok: false,
      problems: [expect.stringContaining("PAYY")],
    });
    expect(await ask(message({ type: "xstate.init" }))).toMatchObject({
      problems: [expect.stringContaining("reserved")],
    });
    expect(await ask({ ...message({ type: "PAY" }), sentAt: "now" as never })).toMatchObject({
      ok: false,
      problems: [expect.stringContaining("sentAt")],
    });
  });
});

describe("a preview", () => {
  it("shows outcome, states, changes, work and reply, and does nothing of it", async () => {
    const context = await start();
    await system.run(system.client.ask("account/ada", { type: "PAY", amount: 1 }));
    await system.advance(2000);
    const before = stored();
    const ran = actionsRun;
    const shown = await system.run(preview(context, ada, message({ type: "PAY", amount: 3 })));
    expect(shown).toMatchObject({
      outcome: "applied",
      before: { value: "open", context: { balance: 9 } },
      after: { value: "paid", context: { balance: 6 }, revision: 3 },
      reply: { left: 6 },
      failed: undefined,
      cut: [],
    });
    expect(shown.changes).toEqual(
      expect.arrayContaining([
        { path: "value", before: "open", now: "paid" },
        { path: "context.balance", before: 9, now: 6 },
      ]),
    );
    expect(shown.work).toEqual([
      { kind: "mail", to: "ledger/main", what: "event", event: { type: "BOOK", amount: 3 } },
      { kind: "publish", topic: "payments", event: { type: "PAID" } },
      { kind: "emit", event: { type: "PAID" } },
      { kind: "timer", at: shown.at + 1000, event: expect.stringContaining("xstate.after") },
      { kind: "action", name: "mail" },
    ]);
    await system.advance(100);
    expect([stored(), actionsRun]).toEqual([before, ran]);
    expect((await system.run(system.client.get("account/ada")))?.value).toBe("open");
  });

  it("shows the actor that a first event would make", async () => {
    const context = await start();
    const shown = await system.run(preview(context, ada, message({ type: "PAY", amount: 3 })));
    expect(shown).toMatchObject({
      outcome: "applied",
      before: undefined,
      after: { value: "paid", context: { balance: 7 } },
    });
  });

  it("shows what the machine would throw, and whether another attempt would follow", async () => {
    const context = await start();
    const { failed, outcome } = await system.run(preview(context, ada, message({ type: "BAD" })));
    expect(outcome).toBeUndefined();
    expect(failed).toMatchObject({
      error: { name: "TerminalError", message: expect.stringContaining("No such luck"), stack: expect.any(String) },
      next: { retry: false, reason: "terminal" },
    });
    const refused = await system.run(preview(context, ada, message({ type: "PAY", amount: -1 })));
    expect(refused.failed).toMatchObject({ next: { retry: false, reason: "schema" } });
  });

  it("ends a machine that does not come to its end, and the node goes on", async () => {
    const context = await start();
    const { failed } = await system.run(preview(context, ada, message({ type: "LOOP" })));
    expect(failed).toMatchObject({ error: { name: "TimeOver" }, next: { retry: false, reason: "crashed" } });
    const { view } = await system.run(system.client.ask("account/ada", { type: "PAY", amount: 1 }));
    expect(view.value).toBe("paid");
  });

  it("takes a letter's message as redriving it would, and another in its place", async () => {
    const context = await start();
    const { letter } = await letterFor({ type: "BAD" });
    const shown = await system.run(preview(context, ada, undefined, { letter: { id: letter } }));
    expect(shown.failed).toMatchObject({ error: { name: "TerminalError" } });
    const edited = message({ type: "PAY", amount: 2 });
    expect(await system.run(preview(context, ada, edited, { letter: { id: letter } }))).toMatchObject({
      outcome: "applied",
    });
    const elsewhere = parseAddress("account/bob");
    expect(await system.run(preview(context, elsewhere, edited, { letter: { id: letter, of: ada } }))).toMatchObject({
      outcome: "applied",
      before: undefined,
    });
    expect(await failure(preview(context, elsewhere, undefined, { letter: { id: letter } }))).toMatchObject({
      _tag: "LetterNotFoundError",
    });
  });

  it("is refused for a letter whose message ended processes, unless forced", async () => {
    const context = await start();
    const record = await letterFor({ type: "BAD" });
    const crashed: LetterRecord = { ...record, letter: "c9", reason: "crashed" };
    await system.run(
      context.log.append("core", [
        { subject: subjects.dead(partitionOf(ada, partitions), ada, "c9"), data: encodeRecord(crashed) },
      ]),
    );
    expect(await failure(preview(context, ada, undefined, { letter: { id: "c9" } }))).toMatchObject({
      _tag: "QueryRefusedError",
      message: expect.stringContaining("Use force"),
    });
    const forced = await system.run(preview(context, ada, undefined, { letter: { id: "c9" }, force: true }));
    expect(forced.failed).toMatchObject({ error: { name: "TerminalError" } });
  });

  it("says that a message with a key that was applied before would be a duplicate", async () => {
    const context = await start();
    await system.run(system.client.ask("account/ada", { type: "PAY", amount: 1 }, { key: "k" }));
    const shown = await system.run(preview(context, ada, message({ type: "PAY", amount: 1 }, { key: "k" })));
    expect(shown).toMatchObject({ outcome: "duplicate", changes: [] });
  });

  it("leaves out of an answer what would not fit into a signal, and names it", async () => {
    const context = await start();
    const size = context.log.limits.maxRecordBytes / 2 - 100;
    await system.run(system.client.ask("account/ada", { type: "NOTE", size }));
    const shown = await system.run(preview(context, ada, message({ type: "PAY", amount: 3 })));
    expect(shown.cut).toEqual(["work", "before"]);
    expect(shown).toMatchObject({
      before: { value: "open", context: null },
      after: { value: "paid", context: { balance: 7 } },
      changes: [{ path: "value", before: "open", now: "paid" }],
      work: [],
    });
  });
});

describe("a question", () => {
  it("is asked again while it or its answer is lost", async () => {
    const context = await start();
    const asked: number[] = [];
    const { signal } = context.log;
    let lost = 2;
    context.log.signal = (subject, data) => {
      asked.push(context.time.elapsed());
      if (lost-- > 0) return;
      signal.call(context.log, subject, data);
    };
    expect(await system.run(check(context, ada, message({ type: "PAY", amount: 3 })))).toEqual({ ok: true });
    expect(asked).toHaveLength(3);
    expect((asked[2] as number) - (asked[1] as number)).toBeGreaterThan((asked[1] as number) - (asked[0] as number));
  });

  it("gets an answer from the next owner when the first has crashed", async () => {
    const context = await start({ nodes: 2 });
    await system.advance(5000);
    const owner = system.nodes.find((node) => node.stats().partitions.includes(partitionOf(ada, partitions)));
    owner?.crash();
    expect(await system.run(check(context, ada, message({ type: "PAY", amount: 3 })))).toEqual({ ok: true });
  });

  it("fails with a word on who should have answered", async () => {
    const context = await start();
    const other = parseAddress("cart/1");
    expect(await failure(check(context, other, message({ type: "PAY" })))).toMatchObject({
      _tag: "UnknownActorTypeError",
      message: expect.stringContaining('"cart"'),
      details: { node: "node-1" },
    });
    system.nodes[0]?.crash();
    expect(await failure(check(context, ada, message({ type: "PAY" }), { timeoutMs: 2000 }))).toMatchObject({
      _tag: "QueryTimeoutError",
      message: expect.stringMatching(/within 2000 ms.*its owner is "node-1/),
    });
    const big = message({ type: "NOTE", text: "x".repeat(context.log.limits.maxRecordBytes) });
    expect(await failure(check(context, ada, big))).toMatchObject({ _tag: "PayloadTooLargeError" });
  });

  it("is given up early where nobody owns the partition", async () => {
    const context = await start({ nodes: 0 });
    const startedMs = context.time.elapsed();
    expect(await failure(check(context, ada, message({ type: "PAY" }), { timeoutMs: 60_000 }))).toMatchObject({
      _tag: "NoOwnerError",
    });
    expect(context.time.elapsed() - startedMs).toBeLessThan(10_000);
  });

  it("ends with its signal, and with the client", async () => {
    const context = await start({ nodes: 0 });
    const aborter = new AbortController();
    const aborted = failure(check(context, ada, message({ type: "PAY" }), { signal: aborter.signal }));
    aborter.abort(new Error("Enough."));
    expect(await aborted).toMatchObject({ message: "Enough." });
    const stopped = failure(check(context, ada, message({ type: "PAY" })));
    context.isStopped = true;
    expect(await stopped).toMatchObject({ _tag: "SystemStoppedError" });
  });

  it("does nothing to a node when it is none, comes to the wrong place, or comes in masses", async () => {
    const context = await start();
    // The partitions must have an owner, or nobody hears what follows.
    expect(await system.run(check(context, ada, message({ type: "PAY", amount: 3 })))).toEqual({ ok: true });
    const partition = partitionOf(ada, partitions);
    const heard: string[] = [];
    // Whatever is answered, wherever that goes.
    context.log.listen(`${subjects.root}.>`, (subject) => {
      if (!subject.startsWith(`${subjects.root}.query.`)) heard.push(subject);
    });
    const query = { kind: "check", to: "account/ada", envelope: message({ type: "PAY" }) } as const;
    const bad: Array<[string, Uint8Array]> = [
      [subjects.query(partition), Buffer.from("{")],
      [subjects.query(partition), Buffer.from("null")],
      [subjects.query(partition), Buffer.from('{"format":2}')],
      [
        subjects.query(partition),
        encodeQuery({ query: { kind: "preview" } as never, reply: subjects.reply("c", "1") }),
      ],
      [subjects.query(partition), encodeQuery({ query: { ...query, to: "account" }, reply: subjects.reply("c", "2") })],
      [subjects.query(partition), encodeQuery({ query, reply: `${subjects.root}.core.0.lease` })],
      [subjects.query(partition), encodeQuery({ query, reply: `${subjects.root}.reply.>.*` })],
      [subjects.query((partition + 1) % partitions), encodeQuery({ query, reply: subjects.reply("c", "3") })],
      [subjects.query(partition), encodeQuery({ query: { kind: "stats" }, reply: subjects.reply("c", "4") })],
      [subjects.queryNodes(), encodeQuery({ query, reply: subjects.reply("c", "5") })],
    ];
    for (const [subject, data] of bad) context.log.signal(subject, data);
    await system.advance(1000);
    expect(heard).toEqual([]);
    const preview = { ...query, kind: "preview" } as const;
    for (let i = 0; i < 1000; i++) {
      context.log.signal(
        subjects.query(partition),
        encodeQuery({ query: preview, reply: subjects.reply("c", `m${i}`) }),
      );
    }
    const result = await system.run(system.client.ask("account/ada", { type: "PAY", amount: 1 }));
    expect(result.outcome).toBe("applied");
    await system.advance(5000);
    const answered = heard.filter((subject) => subject.startsWith(subjects.reply("c", "m"))).length;
    expect(answered).toBeGreaterThan(0);
    expect(answered).toBeLessThan(500);
    expect(await system.run(check(context, ada, message({ type: "PAY", amount: 3 })))).toEqual({ ok: true });
  });
});

describe("the nodes' own word", () => {
  it("comes from every node, also from one that owns nothing", async () => {
    const context = await start({ nodes: 3 });
    await system.advance(5000);
    const stats = await system.run(askNodes(context));
    expect(stats.map(({ node }) => node)).toEqual(["node-1", "node-2", "node-3"]);
    expect(stats.flatMap((node) => node.partitions).sort()).toEqual([0, 1, 2, 3]);
    const startedMs = context.time.elapsed();
    await system.run(askNodes(context, { waitMs: 60_000, isEnough: (answers) => answers.length === 3 }));
    expect(context.time.elapsed() - startedMs).toBeLessThan(1000);
    for (const node of system.nodes) node.crash();
    expect(await system.run(askNodes(context))).toEqual([]);
  });
});
