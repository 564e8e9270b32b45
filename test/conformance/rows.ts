/**
 * Rows of the matrix that no scenario can show: what is refused, what is different from a live actor, and what is seen from outside.
 */
import { expect, expectTypeOf } from "vitest";
import {
  type AnyStateMachine,
  assign,
  createActor,
  createMachine,
  type EventFrom,
  enqueueActions,
  fromPromise,
  getNextTransitions,
  type InputFrom,
  initialTransition,
  matchesState,
  type OutputFrom,
  sendTo,
  setup,
  spawnChild,
  stop,
  stopChild,
  transition,
} from "xstate";
import { getShortestPaths } from "xstate/graph";
import { type ContextOf, defineActor, type EventOf, type InputOf, type OutputOf } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import type { ActorView } from "../../actors/view.ts";
import { InvalidDefinitionError, TerminalError } from "../../runtime/core/errors.ts";
import type { NodeEvent } from "../../runtime/engine/telemetry.ts";

/** A test of one row or several. */
export interface RowTest {
  readonly covers: readonly string[];
  /** A promise in the present tense. */
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

/** One actor, `case/x`, in a system of its own. */
interface World {
  readonly system: TestSystem;
  readonly events: readonly NodeEvent[];
  send(...events: ReadonlyArray<{ readonly type: string; readonly [field: string]: unknown }>): Promise<void>;
  view(address?: string): Promise<ActorView<any> | undefined>;
  /** Reasons and explanations of all dead letters. */
  dead(): Promise<string[]>;
}

async function inWorld(machine: AnyStateMachine, run: (world: World) => Promise<void>): Promise<void> {
  const events: NodeEvent[] = [];
  const definition = defineActor("case", { machine, retry: { maxAttempts: 2, base: 100 } });
  const system = await createTestSystem({ actors: [definition], onEvent: (event) => events.push(event) });
  const { client } = system;
  try {
    await run({
      system,
      events,
      send: async (...sent) => {
        for (const event of sent) await system.run(client.send("case/x", event));
        await system.advance(5000);
      },
      view: (address = "case/x") => system.run(client.get(address)),
      dead: async () => {
        const letters = await system.run(client.deadLetters.list());
        return letters.map(({ reason, explanation }) => `${reason}: ${explanation}`);
      },
    });
  } finally {
    await system.stop();
  }
}

function refusal(machine: AnyStateMachine): string {
  try {
    defineActor("case", { machine });
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidDefinitionError);
    return (error as Error).message;
  }
  throw new Error("The machine was not refused.");
}

/** Refuses to go on when it gets GO, by what `act` does in an assign. */
const assigning = (act: (args: any) => unknown): AnyStateMachine =>
  setup({ types: { context: {} as { n: number } } }).createMachine({
    id: "case",
    context: { n: 0 },
    on: {
      GO: {
        actions: assign((args) => {
          act(args);
          return {};
        }),
      },
      ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) },
    },
  });

/** The refused step becomes a dead letter with these words, and the actor goes on as it was. */
async function isRefusedAtStep(machine: AnyStateMachine, words: string): Promise<void> {
  await inWorld(machine, async ({ send, view, dead }) => {
    await send({ type: "GO" }, { type: "ADD" });
    expect(await dead()).toEqual([expect.stringContaining(words)]);
    expect(await view()).toMatchObject({ status: "active", context: { n: 1 } });
  });
}

const light = setup({
  types: {
    context: {} as { turns: number },
    events: {} as { type: "NEXT" } | { type: "OFF" },
    input: {} as { id: string },
    output: {} as { turns: number },
    tags: {} as "lit" | "dark",
  },
}).createMachine({
  id: "light",
  context: { turns: 0 },
  initial: "red",
  states: {
    red: {
      tags: "lit",
      meta: { stop: true },
      on: { NEXT: { target: "green", actions: assign({ turns: ({ context }) => context.turns + 1 }) } },
    },
    green: { tags: "lit", description: "go", on: { NEXT: "red" } },
    off: { tags: "dark", type: "final" },
  },
  on: { OFF: ".off" },
  output: ({ context }) => ({ turns: context.turns }),
});

export const rowTests: readonly RowTest[] = [
  {
    covers: ["transition.route"],
    name: "a route is refused when the actor is defined",
    run: () => {
      const machine = createMachine({ id: "case", initial: "a", states: { a: {}, b: { id: "b", route: {} } } });
      expect(refusal(machine)).toContain('state "case.b" has a route');
    },
  },
  {
    covers: ["action.unknown"],
    name: "an action without an implementation is refused when the actor is defined, with its place",
    run: () => {
      const machine = createMachine({ id: "case", initial: "a", states: { a: { entry: "greet" } } });
      expect(refusal(machine)).toContain('state "case.a" on entry names the action "greet", which is not implemented');
    },
  },
  {
    covers: ["logic.own"],
    name: "logic that keeps a state of its own making is refused when the actor is defined",
    run: () => {
      const own = {
        transition: (state: any) => state,
        getInitialSnapshot: () => ({ status: "active" }),
        getPersistedSnapshot: (state: any) => state,
      };
      const machine = createMachine({ id: "case", invoke: { src: own as never } });
      expect(refusal(machine)).toContain("whose logic is none that could be kept");
    },
  },
  {
    covers: ["values.refused"],
    name: "a function in a static context is refused when the actor is defined, with its path",
    run: () => {
      const machine = createMachine({ id: "case", context: { handlers: [() => {}] } });
      expect(refusal(machine)).toContain("context.handlers[0]");
    },
  },
  {
    covers: ["values.refused"],
    name: "an instance of a class in a context becomes a dead letter that names the path",
    run: () => {
      class Money {
        readonly cents = 5;
      }
      const machine = setup({ types: { context: {} as { n: number; price?: unknown } } }).createMachine({
        id: "case",
        context: { n: 0 },
        on: {
          GO: { actions: assign({ price: () => ({ net: new Money() }) }) },
          ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) },
        },
      });
      return isRefusedAtStep(machine, "context.price.net");
    },
  },
  {
    covers: ["context.frozen"],
    name: "an assign that changes its context in place fails, and changes nothing",
    run: () =>
      isRefusedAtStep(
        assigning(({ context }) => {
          context.n = 100;
        }),
        "read only property 'n'",
      ),
  },
  {
    covers: ["transition.loop", "eventless.chain"],
    name: "a circle of always transitions becomes a dead letter that names the machine",
    run: () =>
      isRefusedAtStep(
        createMachine({
          id: "case",
          context: { n: 0 },
          initial: "rest",
          states: { rest: { on: { GO: "a" } }, a: { always: "b" }, b: { always: "a" } },
          on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
        }),
        'machine "case": it does not come to rest within 1000 microsteps',
      ),
  },
  {
    covers: ["transition.loop"],
    name: "options.maxIterations sets how many microsteps an event may cause",
    run: () =>
      isRefusedAtStep(
        createMachine({
          id: "case",
          options: { maxIterations: 7 },
          context: { n: 0 },
          initial: "rest",
          states: { rest: { on: { GO: "a" } }, a: { always: "b" }, b: { always: "a" } },
          on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
        }),
        "within 7 microsteps",
      ),
  },
  {
    covers: ["guard.throws"],
    name: "what a guard throws counts as it was thrown",
    run: () =>
      isRefusedAtStep(
        createMachine({
          id: "case",
          context: { n: 0 },
          on: {
            GO: {
              guard: () => {
                throw new TerminalError("The guard gives up.");
              },
              actions: [],
            },
            ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) },
          },
        }),
        "TerminalError: The guard gives up.",
      ),
  },
  {
    covers: ["errors.root"],
    name: "a root that throws is tried again, then its message is a dead letter and the actor goes on",
    run: async () => {
      let attempts = 0;
      const machine = assigning(() => {
        attempts++;
        throw new Error("does not work");
      });
      await isRefusedAtStep(
        machine,
        "attempts: All 2 attempts that the policy allows failed; the last: Error: does not work",
      );
      expect(attempts).toBe(2);
    },
  },
  {
    covers: ["send.unknown"],
    name: "sendTo to nobody becomes a dead letter that names the child, and the actor goes on",
    run: () =>
      isRefusedAtStep(
        createMachine({
          id: "case",
          context: { n: 0 },
          on: {
            GO: { actions: sendTo("nobody", { type: "HELLO" }) },
            ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) },
          },
        }),
        'it sends to its child "nobody", and has no child of that name',
      ),
  },
  {
    covers: ["system.get"],
    name: "system.get of an id that is nobody's is refused at the step",
    run: () =>
      isRefusedAtStep(
        assigning(({ system }) => system.get("nobody")),
        'no actor has the system id "nobody"',
      ),
  },
  {
    covers: ["system.get"],
    name: "a message of a child for a system id that is nobody's becomes a dead letter of the root, and the child goes on",
    run: () => {
      const kid = setup({ types: { context: {} as { n: number } } }).createMachine({
        context: { n: 0 },
        on: {
          GO: {
            actions: [
              sendTo(({ system }) => system.get("nobody"), { type: "HELLO" }),
              assign({ n: ({ context }) => context.n + 1 }),
            ],
          },
        },
      });
      const machine = setup({ actors: { kid } }).createMachine({
        invoke: { src: "kid", id: "kid" },
        on: { GO: { actions: sendTo("kid", { type: "GO" }) } },
      });
      return inWorld(machine, async ({ send, view, dead }) => {
        await send({ type: "GO" }, { type: "GO" });
        const words = expect.stringContaining('no actor has the system id "nobody"');
        expect(await dead()).toEqual([words, words]);
        expect(await view("case/x/~kid")).toMatchObject({ status: "active", context: { n: 2 } });
      });
    },
  },
  {
    covers: ["system.getAll"],
    name: "system.getAll is refused at the step",
    run: () =>
      isRefusedAtStep(
        assigning(({ system }) => system.getAll()),
        "it uses system.getAll()",
      ),
  },
  {
    covers: ["system.inspect"],
    name: "system.inspect is refused at the step, and what there is instead is named",
    run: () =>
      isRefusedAtStep(
        assigning(({ system }) => system.inspect(() => {})),
        "Use a client's watch or history.",
      ),
  },
  {
    covers: ["refs.read"],
    name: "the snapshot of a child cannot be read within a step",
    run: () => {
      const kid = createMachine({});
      const machine = setup({ actors: { kid }, types: { context: {} as { n: number; kid: any } } }).createMachine({
        id: "case",
        context: ({ spawn }) => ({ n: 0, kid: spawn("kid", { id: "kid" }) }),
        on: {
          GO: { actions: assign({ n: ({ context }) => context.kid.getSnapshot().context.n }) },
          ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) },
        },
      });
      return isRefusedAtStep(machine, "use onSnapshot of its parent, or a client");
    },
  },
  {
    covers: ["action.send"],
    name: "self.send is refused in an assign",
    run: () =>
      isRefusedAtStep(
        assigning(({ self }) => self.send({ type: "ADD" })),
        "within a step use sendTo",
      ),
  },
  {
    covers: ["action.send", "action.context"],
    name: "self.send in a custom action is sent after the commit",
    run: () =>
      inWorld(
        setup({ types: { context: {} as { n: number } } }).createMachine({
          context: { n: 0 },
          on: {
            GO: { actions: [assign({ n: 10 }), ({ self }) => self.send({ type: "ADD" })] },
            ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) },
          },
        }),
        async ({ send, view }) => {
          await send({ type: "GO" });
          expect((await view())?.context).toEqual({ n: 11 });
        },
      ),
  },
  {
    covers: ["action.context"],
    name: "a custom action that throws ends nothing, and is told",
    run: () =>
      inWorld(
        createMachine({
          id: "case",
          on: {
            GO: {
              actions: function greet() {
                throw new Error("no voice");
              },
            },
          },
        }),
        async ({ send, view, events, dead }) => {
          await send({ type: "GO" });
          expect((await view())?.status).toBe("active");
          expect(await dead()).toEqual([]);
          expect(events.filter(({ name }) => name === "action.failed").map(({ message }) => message)).toEqual([
            expect.stringContaining('Action "greet" of case/x failed after its commit: no voice'),
          ]);
        },
      ),
  },
  {
    covers: ["log.child", "log.value"],
    name: "log is told with the address of the actor that writes",
    run: async () => {
      const kid = createMachine({ entry: ({ self }) => self.id, initial: "a", states: { a: {} } });
      const machine = setup({ actors: { kid } }).createMachine({
        invoke: { src: "kid", id: "kid" },
        on: {
          GO: { actions: enqueueActions(({ enqueue, self }) => enqueue(setup({}).log(`I am ${self.id}`, "who"))) },
        },
      });
      await inWorld(machine, async ({ send, events }) => {
        await send({ type: "GO" });
        const lines = events.filter(({ name }) => name === "actor.log");
        expect(lines.map(({ message, data }) => [message, data])).toEqual([
          ["case/x who: I am case/x", { actor: "case/x", label: "who", value: "I am case/x" }],
        ]);
      });
    },
  },
  {
    covers: ["spawn.sameId"],
    name: "spawning an id that is taken stops the child that has it",
    run: async () => {
      const kid = setup({ types: { input: {} as string, context: {} as { name: string; n: number } } }).createMachine({
        context: ({ input }) => ({ name: input, n: 0 }),
        on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
      });
      const machine = setup({ actors: { kid } }).createMachine({
        on: {
          SPAWN: { actions: spawnChild("kid", { id: "kid", input: ({ event }) => event.name }) },
          ADD: { actions: sendTo("kid", { type: "ADD" }) },
        },
      });
      await inWorld(machine, async ({ send, view, dead }) => {
        await send({ type: "SPAWN", name: "first" }, { type: "ADD" }, { type: "ADD" });
        expect(await view("case/x/~kid")).toMatchObject({ status: "active", context: { name: "first", n: 2 } });
        await send({ type: "SPAWN", name: "second" }, { type: "ADD" });
        expect(await view("case/x/~kid")).toMatchObject({ status: "active", context: { name: "second", n: 1 } });
        expect(await dead()).toEqual([]);
      });
    },
  },
  {
    covers: ["spawn.inline"],
    name: "logic written into a spawnChild of the definition is started",
    run: () =>
      inWorld(
        createMachine({
          context: { n: 0 },
          entry: spawnChild(createMachine({ initial: "a", states: { a: { type: "final" } } }), { id: "kid" }),
          on: { "xstate.done.actor.kid": { actions: assign({ n: 1 }) } },
        }),
        async ({ send, view }) => {
          await send({ type: "ANY" });
          expect((await view())?.context).toEqual({ n: 1 });
        },
      ),
  },
  {
    covers: ["spawn.inline"],
    name: "logic without a name that is spawned in an assign is refused at the step",
    run: () =>
      isRefusedAtStep(
        assigning(({ spawn }) => spawn(fromPromise(async () => 1))),
        "Name it in setup({ actors })",
      ),
  },
  {
    covers: ["promise.args"],
    name: "promise logic is given input, signal and ids, and is refused emit",
    run: () => {
      const ids = fromPromise(async ({ self, signal, input }) => [self.id, self._parent?.id, signal.aborted, input]);
      const emitting = fromPromise(async ({ emit }) => emit({ type: "HELLO" }));
      const machine = setup({ actors: { ids, emitting } }).createMachine({
        context: { seen: undefined as unknown, reason: "" },
        invoke: [
          {
            src: "ids",
            id: "ids",
            input: 5 as never,
            onDone: { actions: assign({ seen: ({ event }) => event.output }) },
          },
          { src: "emitting", onError: { actions: assign({ reason: ({ event }) => (event.error as Error).message }) } },
        ],
      });
      return inWorld(machine, async ({ send, view }) => {
        await send({ type: "ANY" });
        const { context } = (await view()) as ActorView<any>;
        expect(context.seen).toEqual(["ids", "x", false, 5]);
        expect(context.reason).toContain("Cannot use emit in the promise logic");
      });
    },
  },
  {
    covers: ["view.children"],
    name: "a view shows the children, and where they are read",
    run: () => {
      const kid = createMachine({ context: { n: 7 } });
      const machine = setup({ actors: { kid } }).createMachine({ invoke: { src: "kid", id: "kid" } });
      return inWorld(machine, async ({ send, view }) => {
        await send({ type: "ANY" });
        const [child] = (await view())?.children ?? [];
        expect(child).toMatchObject({ id: "kid", kind: "actor", src: "kid", address: { type: "case", id: "x/~kid" } });
        expect((await view("case/x/~kid"))?.context).toEqual({ n: 7 });
      });
    },
  },
  {
    covers: ["machine.createMachine", "machine.setup", "stopChild.alias"],
    name: "machines of createMachine and of setup are taken, stop is stopChild",
    run: () => {
      expect(stop).toBe(stopChild);
      for (const machine of [createMachine({ id: "case" }), setup({}).createMachine({ id: "case", exit: stop("x") })]) {
        expect(defineActor("case", { machine }).type).toBe("case");
      }
    },
  },
  {
    covers: ["machine.version"],
    name: "a machine's version is stored with every state",
    run: () => {
      const { identity } = defineActor("case", { machine: createMachine({ id: "case", version: "7" }) }).driver;
      expect(identity).toMatchObject({ id: "case", version: "7" });
    },
  },
  {
    covers: ["view.fields", "view.matches", "tags.state", "machine.output", "api.getSnapshot", "api.send"],
    name: "a view shows value, context, status, tags and output, and answers matches and hasTag",
    run: () =>
      inWorld(light, async ({ send, view }) => {
        await send({ type: "NEXT" });
        const seen = (await view()) as ActorView<any>;
        expect(seen).toMatchObject({
          value: "green",
          context: { turns: 1 },
          status: "active",
          tags: ["lit"],
          output: undefined,
          error: undefined,
        });
        expect([seen.matches("green"), seen.matches("red"), seen.hasTag("lit"), seen.hasTag("dark")]).toEqual([
          true,
          false,
          true,
          false,
        ]);
        expect(matchesState("green", seen.value as string)).toBe(true);
        await send({ type: "OFF" });
        expect(await view()).toMatchObject({ value: "off", status: "done", tags: ["dark"], output: { turns: 1 } });
      }),
  },
  {
    covers: ["view.can", "meta.state", "pure.state"],
    name: "a snapshot made of a view answers can, getMeta and getNextTransitions",
    run: () =>
      inWorld(light, async ({ send, view }) => {
        await send({ type: "NEXT" }, { type: "NEXT" });
        const { value, context } = (await view()) as ActorView<{ turns: number }>;
        const snapshot = light.resolveState({ value: value as "red", context });
        expect(snapshot.can({ type: "NEXT" })).toBe(true);
        expect(snapshot.getMeta()).toEqual({ "light.red": { stop: true } });
        expect(getNextTransitions(snapshot).map(({ eventType }) => eventType)).toEqual(["NEXT", "OFF"]);
      }),
  },
  {
    covers: ["api.createActor", "api.subscribe", "api.waitFor", "api.on"],
    name: "what createActor, subscribe, waitFor and on do is done by definition and client",
    run: async () => {
      const machine = createMachine({
        initial: "a",
        states: {
          a: {
            on: { NEXT: { target: "b", actions: enqueueActions(({ enqueue }) => enqueue.emit({ type: "MOVED" })) } },
          },
          b: { type: "final" },
        },
      });
      await inWorld(machine, async ({ system, send }) => {
        const { client } = system;
        const emitted: unknown[] = [];
        client.on("case/x", "MOVED", (event: unknown) => void emitted.push(event));
        await system.run(client.create("case/x"));
        const watching = client.watch("case/x")[Symbol.asyncIterator]();
        const first = await system.run(watching.next());
        expect(first.value).toMatchObject({ value: "a" });
        const done = client.waitFor("case/x", "done");
        await send({ type: "NEXT" });
        expect(await system.run(done)).toMatchObject({ value: "b", status: "done" });
        const second = await system.run(watching.next());
        expect(second.value).toMatchObject({ value: "b" });
        expect(emitted).toMatchObject([{ type: "MOVED" }]);
        await system.run(Promise.resolve(watching.return?.()));
      });
    },
  },
  {
    covers: ["pure.transition", "api.createActor"],
    name: "a machine that was given to defineActor stays as it is",
    run: () => {
      const config = light.config;
      const before = JSON.stringify(light);
      defineActor("light", { machine: light });
      expect(light.config).toBe(config);
      expect(JSON.stringify(light)).toBe(before);
      const [initial] = initialTransition(light, { id: "x" });
      const [next] = transition(light, initial, { type: "NEXT" });
      expect([initial.value, next.value, next.context]).toEqual(["red", "green", { turns: 1 }]);
      const actor = createActor(light, { input: { id: "x" } }).start();
      actor.send({ type: "NEXT" });
      expect(actor.getSnapshot().value).toBe("green");
      actor.stop();
    },
  },
  {
    covers: ["pure.graph"],
    name: "xstate/graph finds paths through a machine that was given to defineActor",
    run: () => {
      const machine = createMachine({
        initial: "a",
        states: { a: { on: { NEXT: "b" } }, b: { on: { NEXT: "c", BACK: "a" } }, c: {} },
      });
      defineActor("case", { machine });
      const paths = getShortestPaths(machine, { toState: (snapshot) => snapshot.value === "c" });
      expect(paths.map(({ steps }) => steps.map(({ event }) => event.type))).toEqual([["xstate.init", "NEXT", "NEXT"]]);
    },
  },
  {
    covers: ["pure.types"],
    name: "types of machine and definition agree",
    run: () => {
      const definition = defineActor("light", { machine: light });
      expectTypeOf<EventOf<typeof definition>>().toEqualTypeOf<EventFrom<typeof light>>();
      expectTypeOf<ContextOf<typeof definition>>().toEqualTypeOf<{ turns: number }>();
      expectTypeOf<OutputOf<typeof definition>>().toEqualTypeOf<OutputFrom<typeof light>>();
      expectTypeOf<InputOf<typeof definition>>().toEqualTypeOf<InputFrom<typeof light>>();
      expect(definition.type).toBe("light");
    },
  },
];
