/** Live children: callback and observable logic in the process of their actor's owner. */
import { afterEach, describe, expect, it } from "vitest";
import { assign, createMachine, fromCallback, fromEventObservable, sendTo, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem, type TestSystemOptions } from "../../actors/test-system.ts";

/** What runs now, by name; every start has a number of its own. */
const running = new Set<string>();
let starts = 0;

const beacon = fromCallback<{ type: "BLINK" }, { name: string }>(({ sendBack, receive, input }) => {
  const name = `${input.name} ${++starts}`;
  running.add(name);
  sendBack({ type: "UP", name });
  receive((event) => sendBack({ type: "SEEN", event: event.type }));
  return () => {
    running.delete(name);
  };
});

type Seen = { readonly ups: readonly string[]; readonly seen: readonly string[] };

const lamp = defineActor("lamp", {
  machine: setup({
    types: {
      context: {} as Seen,
      events: {} as
        | { type: "ON" }
        | { type: "OFF" }
        | { type: "BLINK" }
        | { type: "UP"; name: string }
        | { type: "SEEN"; event: string },
    },
    actors: { beacon },
    actions: {
      noteUp: assign({
        ups: ({ context, event }) => (event.type === "UP" ? [...context.ups, event.name] : context.ups),
      }),
      noteSeen: assign({
        seen: ({ context, event }) => (event.type === "SEEN" ? [...context.seen, event.event] : context.seen),
      }),
    },
  }).createMachine({
    context: { ups: [], seen: [] },
    initial: "off",
    on: { UP: { actions: "noteUp" }, SEEN: { actions: "noteSeen" } },
    states: {
      off: { on: { ON: "on" } },
      on: {
        invoke: { src: "beacon", id: "beacon", input: { name: "lamp" } },
        on: { OFF: "off", BLINK: { actions: sendTo("beacon", { type: "BLINK" }) } },
      },
    },
  }),
});

let system: TestSystem | undefined;

async function start(options: Partial<TestSystemOptions> = {}): Promise<TestSystem> {
  system = await createTestSystem({ actors: [lamp], partitions: 1, settings: { checkpointMs: 100 }, ...options });
  return system;
}

afterEach(async () => {
  await system?.stop();
  system = undefined;
  running.clear();
  starts = 0;
});

describe("a live child", () => {
  it("starts with its state, gets events, and is stopped when the state is left", async () => {
    const { run, client, advance } = await start();
    await run(client.send(lamp.ref("a"), { type: "ON" }));
    await advance(500);
    expect([...running]).toEqual(["lamp 1"]);
    await run(client.send(lamp.ref("a"), { type: "BLINK" }));
    await advance(500);
    await run(client.send(lamp.ref("a"), { type: "OFF" }));
    await advance(500);
    expect([...running]).toEqual([]);
    const view = await run(client.get(lamp.ref("a")));
    expect(view?.context).toEqual({ ups: ["lamp 1"], seen: ["BLINK"] });
  });

  it("starts again after a takeover, though no message comes for its actor", async () => {
    const { run, client, advance, nodes, startNode } = await start();
    await run(client.send(lamp.ref("a"), { type: "ON" }));
    // The checkpoint passes all that was handled: a new owner has nothing to read.
    await advance(5000);
    nodes[0]?.crash();
    await startNode();
    await advance(10_000);
    expect((await run(client.get(lamp.ref("a"))))?.context.ups).toEqual(["lamp 1", "lamp 2"]);
  });

  it("that was stopped does not start again after a takeover", async () => {
    const { run, client, advance, nodes, startNode, broker } = await start();
    await run(client.send(lamp.ref("a"), { type: "ON" }));
    await run(client.send(lamp.ref("a"), { type: "OFF" }));
    await advance(5000);
    nodes[0]?.crash();
    await startNode();
    await advance(10_000);
    expect(starts).toBe(1);
    // The new owner has removed the mark of an actor that has none any more.
    expect(broker.records("core", "sw.test.core.*.live.>")).toEqual([]);
  });

  it("moves with its partition when the node is stopped in order", async () => {
    const { run, client, advance, nodes, startNode } = await start();
    await run(client.send(lamp.ref("a"), { type: "ON" }));
    await advance(500);
    await startNode();
    await run(nodes[0]?.stop() as Promise<void>);
    await advance(5000);
    expect([...running]).toEqual(["lamp 2"]);
  });

  it("of a state that is entered anew is another one, and what the earlier one still says is dropped", async () => {
    const said: Array<() => void> = [];
    const talker = fromCallback(({ sendBack }) => {
      const number = said.length + 1;
      said.push(() => sendBack({ type: "SAY", number }));
    });
    const machine = setup({ actors: { talker } }).createMachine({
      context: { heard: [] as number[] },
      initial: "on",
      on: {
        AGAIN: { target: ".on", reenter: true },
        SAY: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.number] }) },
      },
      states: { on: { invoke: { src: "talker", id: "talker" } } },
    });
    const talk = defineActor("talk", { machine });
    const { run, client, advance, nodes } = await start({ actors: [talk] });
    await run(client.send(talk.ref("a"), { type: "BEGIN" }));
    await advance(500);
    await run(client.send(talk.ref("a"), { type: "AGAIN" }));
    await advance(500);
    for (const say of said) say();
    await advance(500);
    const view = await run(client.get(talk.ref("a")));
    expect(said).toHaveLength(2);
    expect(view?.context).toEqual({ heard: [2] });
    expect(nodes[0]?.stats().counters.stale).toBe(0);
  });

  it("that fails while it starts comes by onError, with all that the error holds", async () => {
    const broken = fromCallback(() => {
      throw Object.assign(new TypeError("no lamp"), { code: "E_LAMP" });
    });
    const machine = createMachine({
      initial: "on",
      context: { error: undefined as unknown },
      states: {
        on: {
          invoke: {
            src: broken,
            onError: { target: "broken", actions: assign({ error: ({ event }) => event.error }) },
          },
        },
        broken: {},
      },
    });
    const { run, client, advance } = await start({ actors: [defineActor("lamp", { machine })] });
    await run(client.send("lamp/a", { type: "X" }));
    await advance(500);
    const view = await run(client.get("lamp/a"));
    expect(view?.value).toBe("broken");
    expect(view?.context).toMatchObject({ error: { name: "TypeError", message: "no lamp", code: "E_LAMP" } });
  });

  it("of observable events gives each of them to its actor, in order", async () => {
    const numbers = fromEventObservable(
      () =>
        ({
          subscribe: (observer: { next(value: unknown): void; complete(): void }) => {
            for (const n of [1, 2, 3]) observer.next({ type: "N", n });
            observer.complete();
            return { unsubscribe: () => {} };
          },
        }) as never,
    );
    const machine = createMachine({
      context: { seen: [] as number[] },
      initial: "on",
      on: { N: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) } },
      states: { on: { invoke: { src: numbers, onDone: "over" } }, over: {} },
    });
    const { run, client, advance } = await start({ actors: [defineActor("lamp", { machine })] });
    await run(client.send("lamp/a", { type: "X" }));
    await advance(500);
    const view = await run(client.get("lamp/a"));
    expect(view?.value).toBe("over");
    expect(view?.context).toEqual({ seen: [1, 2, 3] });
  });
});
