/** What a transition wants done comes out as work: in order, evaluated at its place, and only when a transition is taken. */
import { describe, expect, test } from "vitest";
import { assign, createActor, createMachine, enqueueActions, log, setup } from "xstate";
import { publish, reply, tell } from "../../runtime/machine/actions.ts";
import type { Work } from "../../runtime/machine/driver.ts";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";

const env = { self: { type: "plane", id: "SW1" }, now: 0 };

type Counted = { context: { n: number }; event: { type: string } };

const plane = setup({
  types: { context: {} as { n: number }, events: {} as { type: "GO" } | { type: "ENQUEUE" } | { type: "NOISE" } },
  actions: {
    count: assign({ n: ({ context }) => context.n + 1 }),
    report: tell(
      (_, params: { to: string }) => params.to,
      ({ context }) => String(context.n),
      ({ context, event }, params) => ({ type: "REPORT", n: context.n, on: event.type, to: params.to }),
    ),
    sing: () => {},
  },
}).createMachine({
  id: "plane",
  context: { n: 0 },
  on: {
    GO: {
      actions: [
        tell("airport", "JFK", { type: "FIRST" }),
        { type: "report", params: { to: "tower" } },
        "count",
        { type: "report", params: ({ context }) => ({ to: `tower${context.n}` }) },
        publish(
          ({ event }) => event.type,
          ({ context }) => ({ type: "FLOWN", n: context.n }),
        ),
        "sing",
        log(({ context }) => context.n, "n"),
        "count",
        reply(({ context }) => ({ n: context.n })),
      ],
    },
    ENQUEUE: {
      actions: enqueueActions(({ enqueue, context }) => {
        enqueue(
          tell({ type: "airport" }, "JFK", ({ context: later }) => ({ type: "AT", n: later.n, before: context.n })),
        );
        enqueue("count");
        enqueue(
          tell({ type: "airport" }, "JFK", ({ context: later }) => ({ type: "AT", n: later.n, before: context.n })),
        );
        enqueue({ type: "report", params: { to: "tower" } });
        enqueue(reply(7));
      }),
    },
  },
});

/** Work without its functions. */
const plain = (work: readonly Work[]) =>
  work.map((item) => (item.kind === "run" ? { kind: "run", name: item.name } : item));

describe("work", () => {
  const driver = prepareMachine(plane);
  const { state } = driver.create(undefined, env);

  test("comes in the order of the actions, each evaluated with the context at its place", () => {
    expect(plain(driver.step(state, { kind: "event", event: { type: "GO" } }, env).work)).toEqual([
      { kind: "tell", to: { type: "airport", id: "JFK" }, event: { type: "FIRST" } },
      { kind: "tell", to: { type: "tower", id: "0" }, event: { type: "REPORT", n: 0, on: "GO", to: "tower" } },
      { kind: "tell", to: { type: "tower1", id: "1" }, event: { type: "REPORT", n: 1, on: "GO", to: "tower1" } },
      { kind: "publish", topic: "GO", event: { type: "FLOWN", n: 1 } },
      { kind: "run", name: "sing" },
      { kind: "log", label: "n", value: 1 },
      { kind: "reply", value: { n: 2 } },
    ]);
  });

  test("comes from enqueueActions as from a list", () => {
    expect(plain(driver.step(state, { kind: "event", event: { type: "ENQUEUE" } }, env).work)).toEqual([
      { kind: "tell", to: { type: "airport", id: "JFK" }, event: { type: "AT", n: 0, before: 0 } },
      { kind: "tell", to: { type: "airport", id: "JFK" }, event: { type: "AT", n: 1, before: 0 } },
      { kind: "tell", to: { type: "tower", id: "1" }, event: { type: "REPORT", n: 1, on: "ENQUEUE", to: "tower" } },
      { kind: "reply", value: 7 },
    ]);
  });

  test("comes from entry actions when an actor is made", () => {
    const machine = createMachine({
      id: "m",
      context: { n: 3 },
      entry: [tell("a", "b", ({ context }) => ({ type: "HI", n: context.n })), reply(null)],
    });
    expect(prepareMachine(machine).create(undefined, env).work).toEqual([
      { kind: "tell", to: { type: "a", id: "b" }, event: { type: "HI", n: 3 } },
      { kind: "reply", value: null },
    ]);
  });

  test("of custom actions knows the actor's own address, and the context at its place", () => {
    const seen: unknown[] = [];
    const look = ({ context, self }: any) => seen.push([context.n, self.id]);
    const machine = createMachine({ id: "m", context: { n: 0 }, entry: [look, assign({ n: 1 }), look] });
    for (const item of prepareMachine(machine).create(undefined, env).work) if (item.kind === "run") item.run(() => {});
    expect(seen).toEqual([
      [0, "plane/SW1"],
      [1, "plane/SW1"],
    ]);
  });
});

describe("handled", () => {
  const driver = prepareMachine(
    createMachine({
      id: "m",
      context: { n: 0 },
      initial: "a",
      on: { ROOT: { actions: () => {} }, FORBIDDEN: { actions: () => {} }, EMPTY: { actions: () => {} } },
      states: {
        a: {
          on: {
            NEVER: { guard: () => false },
            FORBIDDEN: undefined,
            EMPTY: {},
            "pay.*": { actions: assign({ n: 1 }) },
            END: "end",
          },
          always: {
            guard: ({ context, event }) => event.type === "ALWAYS" && context.n === 0,
            actions: assign({ n: 2 }),
          },
        },
        end: { type: "final" },
      },
    }),
  );
  const { state } = driver.create(undefined, env);

  test.each(["UNKNOWN", "NEVER", "payment", "constructor", "__proto__"])(
    "is false, and nothing changes, for %s",
    (type) => {
      expect(driver.step(state, { kind: "event", event: { type } }, env)).toEqual({
        state,
        outcome: "ignored",
        work: [],
      });
      expect(driver.step(state, { kind: "event", event: { type } }, env).state).toBe(state);
    },
  );

  test.each(["ROOT", "pay.card", "ALWAYS"])("is true for %s", (type) => {
    expect(driver.step(state, { kind: "event", event: { type } }, env).outcome).toBe("taken");
  });

  test.each(["FORBIDDEN", "EMPTY"])("is true for %s, which the machine means to ignore", (type) => {
    const step = driver.step(state, { kind: "event", event: { type } }, env);
    expect(step).toEqual({ state, outcome: "taken", work: [] });
  });

  test("is false once the machine is done", () => {
    const done = driver.step(state, { kind: "event", event: { type: "END" } }, env).state;
    expect(driver.view(done)).toEqual({ status: "done", value: "end" });
    expect(driver.step(done, { kind: "event", event: { type: "ROOT" } }, env)).toEqual({
      state: done,
      outcome: "ignored",
      work: [],
    });
  });

  test("stays right for more event types than a wildcard can remember", () => {
    const wild = prepareMachine(
      createMachine({ id: "m", on: { "*": { guard: ({ event }) => event.type.endsWith("7"), actions: () => {} } } }),
    );
    const begun = wild.create(undefined, env).state;
    for (let n = 0; n < 1000; n++) {
      expect(wild.step(begun, { kind: "event", event: { type: `type-${n}` } }, env).outcome).toBe(
        n % 10 === 7 ? "taken" : "ignored",
      );
    }
  });
});

describe("under a live actor", () => {
  test("tell, publish and reply do nothing, whatever they are given", () => {
    const machine = createMachine({
      id: "m",
      context: { n: 0 },
      entry: [
        tell("no type", "", { type: "xstate.stop" }),
        publish("", { type: "X" }),
        reply(() => {
          throw new Error("evaluated");
        }),
      ],
      on: {
        GO: {
          actions: enqueueActions(({ enqueue }) => {
            enqueue(tell("a", "b", { type: "X" }));
            enqueue.assign({ n: 1 });
          }),
        },
      },
    });
    const actor = createActor(machine).start();
    actor.send({ type: "GO" });
    expect(actor.getSnapshot()).toMatchObject({ status: "active", context: { n: 1 } });
  });

  test("a machine from setup with durable actions runs on", () => {
    const actor = createActor(plane).start();
    actor.send({ type: "ENQUEUE" });
    expect(actor.getSnapshot().context satisfies Counted["context"]).toEqual({ n: 1 });
  });
});
