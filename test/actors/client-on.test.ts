import { afterEach, describe, expect, expectTypeOf, it, vi } from "vitest";
import { setup } from "xstate";
import type { Client, EmittedInfo, OnOptions, Subscription } from "../../actors/client.ts";
import { defineActor, type EmittedOf } from "../../actors/define-actor.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import { countReaders, partitions, World } from "./client-world.ts";

const order = { type: "order", id: "42" };
const payment = { type: "order", id: "42/~payment" };

afterEach(() => {
  vi.restoreAllMocks();
});

/** Listens, and resolves when it does. */
async function listen(
  world: World,
  target: string,
  type: string,
  options: OnOptions & { readonly client?: Client; readonly handler?: (event: unknown) => unknown } = {},
): Promise<{ readonly got: unknown[]; readonly infos: EmittedInfo[]; readonly told: unknown[] } & Subscription> {
  const { client = world.client, handler, ...rest } = options;
  const got: unknown[] = [];
  const infos: EmittedInfo[] = [];
  const told: unknown[] = [];
  const subscription = client.on(
    target,
    type,
    (event, info) => {
      got.push(event);
      infos.push(info);
      return handler?.(event);
    },
    { onError: (error, info) => told.push([error, info?.id]), ...rest },
  );
  await world.run(subscription.ready);
  return { got, infos, told, ...subscription };
}

describe("listening", () => {
  it("delivers each event of the type as the machine emitted it, from the moment at which it is ready", async () => {
    const world = new World();
    await world.writeEmitted(order, "early", { type: "PAID", amount: 1 } as never);
    const { got, infos } = await listen(world, "order/42", "PAID");
    const paid = { type: "PAID", amount: 12n, on: new Date(0), note: undefined };
    const seq = await world.writeEmitted(order, "c1", paid, { type: "SHIPPED" }, { type: "PAID" });
    await world.writeEmitted({ type: "order", id: "43" }, "c2", { type: "PAID" });
    await world.writeEmitted({ type: "refund", id: "42" }, "c3", { type: "PAID" });
    await world.time.advance(100);
    expect(got).toEqual([paid, { type: "PAID" }]);
    expect(infos.map(({ id, seq }) => [id, seq])).toEqual([
      ["c1-0", seq],
      ["c1-2", seq + 2],
    ]);
    const [stored] = world.broker.records("core", "sw.test.core.*.emit.order.42.PAID.c1-0");
    expect(infos[0]?.at).toBe(stored?.timeMs);
  });

  it("delivers all events in the order of their commits for *, whatever their types are called", async () => {
    const world = new World();
    const { got } = await listen(world, "order/42", "*");
    const one = await listen(world, "order/42", "order.paid > *");
    const types = ["B", "order.paid > *", "A", "Zoë", "A"];
    for (const [i, type] of types.entries()) await world.writeEmitted(order, `c${i}`, { type });
    await world.time.advance(100);
    expect(got).toEqual(types.map((type) => ({ type })));
    expect(one.got).toEqual([{ type: "order.paid > *" }]);
  });

  it("begins with all that is kept, or behind a known event, and goes on with what comes", async () => {
    const world = new World();
    const seq = await world.writeEmitted(order, "c1", { type: "A" }, { type: "B" }, { type: "C" });
    await world.time.advance(1000);
    const all = await listen(world, "order/42", "*", { from: "start" });
    const behind = await listen(world, "order/42", "*", { from: { after: seq } });
    await world.writeEmitted(order, "c2", { type: "D" });
    await world.time.advance(100);
    expect(all.got).toEqual(["A", "B", "C", "D"].map((type) => ({ type })));
    expect(behind.got).toEqual(["B", "C", "D"].map((type) => ({ type })));
    await world.run(world.log.purge("core", world.subjects.emitsOfPartition(partitionOf(order, partitions)), seq + 2));
    const kept = await listen(world, "order/42", "*", { from: "start" });
    await world.time.advance(100);
    expect(kept.got).toEqual(["C", "D"].map((type) => ({ type })));
  });

  it("tells a child's events from its parent's", async () => {
    const world = new World();
    const parent = await listen(world, "order/42", "*");
    const child = await listen(world, "order/42/~payment", "*");
    await world.writeEmitted(payment, "c1", { type: "CHARGED" });
    await world.writeEmitted(order, "c2", { type: "PAID" });
    await world.time.advance(100);
    expect(parent.got).toEqual([{ type: "PAID" }]);
    expect(child.got).toEqual([{ type: "CHARGED" }]);
  });

  it("takes a reference, and one handler's events are none of another's", async () => {
    const world = new World();
    const [one, other] = [[] as string[], [] as string[]];
    const subscriptions = [one, other].map((got) => world.client.on(order, "*", (event) => got.push(event.type)));
    await world.run(Promise.all(subscriptions.map(({ ready }) => ready)));
    await world.writeEmitted(order, "c1", { type: "A" });
    await world.time.advance(100);
    subscriptions[0]?.unsubscribe();
    await world.writeEmitted(order, "c2", { type: "B" });
    await world.time.advance(100);
    expect([one, other]).toEqual([["A"], ["A", "B"]]);
  });

  it("loses and repeats nothing when the connection is cut or the broker restarts", async () => {
    const world = new World();
    const connection = world.broker.connect("listener");
    const client = world.connect({ log: connection.log, time: connection.time });
    const { infos } = await listen(world, "order/42", "*", { client });
    const written: string[] = [];
    for (let i = 0; i < 30; i++) {
      if (i % 10 === 3) connection.cut();
      if (i % 10 === 7) connection.mend();
      if (i % 10 === 9) world.broker.restart(50);
      await world.time.advance(60);
      await world.writeEmitted(order, `c${i}`, { type: "A" }, { type: "B" });
      written.push(`c${i}-0`, `c${i}-1`);
    }
    await world.time.advance(1000);
    expect(infos.map(({ id }) => id)).toEqual(written);
  });
});

describe("a handler", () => {
  it("gets one event at a time: a promise that it returns is waited for", async () => {
    const world = new World();
    const steps: string[] = [];
    await listen(world, "order/42", "*", {
      handler: async (event) => {
        const { type } = event as { type: string };
        steps.push(`${type} begins`);
        await new Promise<void>((resolve) => world.time.after(type === "A" ? 500 : 10, resolve));
        steps.push(`${type} ends`);
      },
    });
    await world.writeEmitted(order, "c1", { type: "A" }, { type: "B" });
    await world.time.advance(100);
    expect(steps).toEqual(["A begins"]);
    await world.time.advance(1000);
    expect(steps).toEqual(["A begins", "A ends", "B begins", "B ends"]);
  });

  it("that throws or rejects is told with the event, and gets the next one", async () => {
    const world = new World();
    const bad = new Error("no such account");
    const { got, told } = await listen(world, "order/42", "*", {
      handler: (event) => {
        const { type } = event as { type: string };
        if (type === "A") throw bad;
        return type === "B" ? Promise.reject("no") : undefined;
      },
    });
    await world.writeEmitted(order, "c1", { type: "A" }, { type: "B" }, { type: "C" });
    await world.time.advance(100);
    expect(got).toHaveLength(3);
    expect(told).toEqual([
      [bad, "c1-0"],
      ["no", "c1-1"],
    ]);
  });

  it("that throws is told on standard error where nobody else wants to know", async () => {
    const world = new World();
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const { ready } = world.client.on("order/42", "PAID", () => {
      throw new Error("no such account");
    });
    await world.run(ready);
    await world.writeEmitted(order, "c1", { type: "PAID" });
    await world.time.advance(100);
    expect(written).toHaveBeenCalledTimes(1);
    expect(written.mock.calls[0]?.[0]).toMatch(
      /^error emitted\.handler: The handler failed on event c1-0 \(it was to listen to "PAID" of order\/42\): Error: no such account\n/,
    );
  });

  it("gets the next event also when the one who is told throws, which is seen as a bug", async () => {
    const world = new World();
    const thrown: unknown[] = [];
    const { got } = await listen(world, "order/42", "*", {
      handler: () => Promise.reject(new Error("first")),
      onError: (error) => {
        throw new Error(`told ${(error as Error).message}`);
      },
    });
    vi.spyOn(globalThis, "queueMicrotask").mockImplementation((run) => {
      try {
        run();
      } catch (error) {
        thrown.push((error as Error).message);
      }
    });
    await world.writeEmitted(order, "c1", { type: "A" }, { type: "B" });
    await world.time.advance(100);
    expect(got).toHaveLength(2);
    expect(thrown).toEqual(["told first", "told first"]);
  });

  it("that is slow makes the reader pause, and misses nothing", async () => {
    const world = new World();
    const counts = countReaders(world);
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { infos } = await listen(world, "order/42", "*", { client: counts.client, handler: () => held });
    for (let i = 0; i < 6; i++) await world.writeEmitted(order, `c${i}`, ...Array(100).fill({ type: "A" }));
    await world.time.advance(1000);
    expect([infos.length, counts.paused]).toEqual([1, 1]);
    release();
    await world.time.advance(1000);
    expect(infos.map(({ id }) => id)).toEqual(
      Array.from({ length: 600 }, (_, i) => `c${Math.floor(i / 100)}-${i % 100}`),
    );
  });

  it("is not called for what cannot be read, which is told", async () => {
    const world = new World();
    const { got, told } = await listen(world, "order/42", "*");
    await world.write([
      { subject: world.subjects.emitted(partitionOf(order, partitions), order, "A", "c0-0"), data: Buffer.from("{") },
    ]);
    await world.writeEmitted(order, "c1", { type: "A" });
    await world.time.advance(100);
    expect(got).toEqual([{ type: "A" }]);
    expect(told).toEqual([
      [
        expect.objectContaining({
          _tag: "CorruptRecordError",
          message: expect.stringContaining("order/42 at sequence 1"),
        }),
        undefined,
      ],
    ]);
  });
});

describe("a subscription", () => {
  it("calls nothing after it is ended, not even for what has come already, and closes its reader", async () => {
    const world = new World();
    const counts = countReaders(world);
    const { got, told, unsubscribe } = await listen(world, "order/42", "*", {
      client: counts.client,
      handler: () => unsubscribe(),
    });
    await world.writeEmitted(order, "c1", { type: "A" }, { type: "B" });
    await world.time.advance(100);
    expect([got, told, counts.open]).toEqual([[{ type: "A" }], [], 0]);
    unsubscribe();
    const { ready, unsubscribe: end } = world.client.on("order/42", "*", () => {});
    end();
    expect(await world.failure(ready)).toMatchObject({ _tag: "SystemStoppedError" });
  });

  it("ends with its signal, and nobody is told", async () => {
    const world = new World();
    const counts = countReaders(world);
    const abort = new AbortController();
    const { got, told } = await listen(world, "order/42", "*", { client: counts.client, signal: abort.signal });
    await world.writeEmitted(order, "c1", { type: "A" });
    await world.time.advance(100);
    abort.abort("enough");
    await world.writeEmitted(order, "c2", { type: "B" });
    await world.time.advance(100);
    expect([got, told, counts.open]).toEqual([[{ type: "A" }], [], 0]);
    const late = world.client.on("order/42", "*", () => {}, { signal: abort.signal });
    expect(await late.ready.catch((reason: unknown) => reason)).toBe("enough");
  });

  it("ends with its client, and nobody is told", async () => {
    const world = new World();
    const counts = countReaders(world);
    const { told } = await listen(world, "order/42", "*", { client: counts.client });
    const { ready } = counts.client.on("order/43", "*", () => {}, { onError: (error) => told.push(error) });
    const failed = ready.catch((error: unknown) => error);
    await world.run(counts.client.close());
    await world.time.advance(100);
    expect([told, counts.open]).toEqual([[], 0]);
    expect(await failed).toMatchObject({ _tag: "SystemStoppedError" });
    expect(() => counts.client.on("order/42", "*", () => {})).toThrow("the client is closed");
    const iterator = counts.client.emitted("order/42", "*")[Symbol.asyncIterator]();
    await expect(iterator.next()).rejects.toThrow("the client is closed");
  });

  it("tells once why it cannot go on", async () => {
    const world = new World();
    const { told } = await listen(world, "order/42", "*");
    world.broker.recreate("core");
    await world.time.advance(100);
    expect(told).toEqual([[expect.objectContaining({ _tag: "SpaceIdentityError" }), undefined]]);
  });

  it.each([
    ["an address without an id", ["order", "*", () => {}], /"type\/id"/],
    ["an empty event type", ["order/42", "", () => {}], /as an event type/],
    ["no event type", ["order/42", undefined, () => {}], /as an event type/],
    ["no handler", ["order/42", "*", "PAID"], /listen to what order\/42 emits: the handler is "PAID"/],
    [
      "an unknown option",
      ["order/42", "A", () => {}, { form: "new" }],
      /listen to "A" of order\/42.*did you mean "from"/,
    ],
    ["another beginning", ["order/42", "*", () => {}, { from: "begin" }], /from is "begin": use "new", "start"/],
    ["a sequence that is none", ["order/42", "*", () => {}, { from: { after: -1 } }], /from is \{"after":-1\}/],
    ["no signal", ["order/42", "*", () => {}, { signal: 1, onError: 2 }], /signal is 1.*onError is 2/],
    ["no options", ["order/42", "*", () => {}, null], /the options are null/],
  ])("is refused for %s", (_, args, message) => {
    const { client } = new World();
    expect(() => client.on(...(args as Parameters<Client["on"]>))).toThrow(message);
  });
});

describe("iterating over emitted events", () => {
  it("gives them with their info, and closes the reader when the loop is left", async () => {
    const world = new World();
    const counts = countReaders(world);
    const seq = await world.writeEmitted(order, "c1", { type: "A" }, { type: "B" }, { type: "A" });
    const seen: unknown[] = [];
    const loop = async () => {
      for await (const { event, id, seq } of counts.client.emitted("order/42", "A", { from: "start" })) {
        seen.push([event, id, seq]);
        if (seen.length === 2) return;
      }
    };
    await world.run(loop());
    expect(seen).toEqual([
      [{ type: "A" }, "c1-0", seq],
      [{ type: "A" }, "c1-2", seq + 2],
    ]);
    expect(counts.open).toBe(0);
  });

  it("throws for what cannot be read, after what came before it, and can go on behind it", async () => {
    const world = new World();
    await world.writeEmitted(order, "c1", { type: "A" });
    const broken = await world.write([
      { subject: world.subjects.emitted(partitionOf(order, partitions), order, "A", "c2-0"), data: Buffer.from("{}") },
    ]);
    await world.writeEmitted(order, "c3", { type: "B" });
    const read = async (from: OnOptions["from"]) => {
      const seen: unknown[] = [];
      const abort = new AbortController();
      world.time.after(500, () => abort.abort(new Error("enough")));
      try {
        for await (const { event } of world.client.emitted("order/42", "*", { from, signal: abort.signal } as never)) {
          seen.push(event.type);
        }
      } catch (error) {
        seen.push((error as Error).name);
      }
      return seen;
    };
    expect(await world.run(read("start"))).toEqual(["A", "CorruptRecordError"]);
    expect(await world.run(read({ after: broken }))).toEqual(["B", "Error"]);
  });

  it("refuses what it cannot do before the loop begins", () => {
    const { client } = new World();
    expect(() => client.emitted("order/42", "", {})).toThrow(/as an event type/);
    expect(() => client.emitted("order/42", "*", { onError: () => {} } as never)).toThrow(/onError is not an option/);
  });
});

describe("the types of emitted events", () => {
  const machineOf = (types: { emitted: { type: "PAID"; amount: number } | { type: "SHIPPED" } }) =>
    setup({ types }).createMachine({});
  const typed = () => defineActor("order", { machine: machineOf({} as never) });
  const untyped = () => defineActor("order", { machine: setup({}).createMachine({}) });

  it("are those that the machine declares, narrowed by the type that is listened to", () => {
    type Order = ReturnType<typeof typed>;
    expectTypeOf<EmittedOf<Order>>().toEqualTypeOf<{ type: "PAID"; amount: number } | { type: "SHIPPED" }>();
    const check = (client: Client, ref: ReturnType<Order["ref"]>) => {
      client.on(ref, "PAID", (event) => expectTypeOf(event.amount).toEqualTypeOf<number>());
      client.on(ref, "*", (event) => expectTypeOf(event.type).toEqualTypeOf<"PAID" | "SHIPPED">());
      // @ts-expect-error the machine emits no such event
      client.on(ref, "PAYED", () => {});
      // @ts-expect-error an event that was shipped has no amount
      client.on(ref, "SHIPPED", (event) => event.amount);
      const iterable = client.emitted(ref, "PAID");
      expectTypeOf(iterable).toExtend<AsyncIterable<{ readonly event: { readonly amount: number } }>>();
    };
    expect(check).toBeTypeOf("function");
  });

  it("are open where the machine declares none, and where there is only an address", () => {
    type Open = ReturnType<typeof untyped>;
    const check = (client: Client, ref: ReturnType<Open["ref"]>) => {
      client.on(ref, "PAID", (event) => expectTypeOf(event.amount).toBeUnknown());
      client.on("order/42", "PAID", (event) => expectTypeOf(event.amount).toBeUnknown());
      expectTypeOf<EmittedOf<Open, "PAID">["type"]>().toEqualTypeOf<"PAID">();
    };
    expect(check).toBeTypeOf("function");
  });
});
