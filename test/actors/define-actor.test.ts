import * as EffectSchema from "effect/Schema";
import * as v from "valibot";
import { describe, expect, expectTypeOf, it } from "vitest";
import { type AnyStateMachine, assign, createMachine, setup } from "xstate";
import { z } from "zod";
import {
  type ActorRef,
  type AnyActorDefinition,
  type ContextOf,
  defineActor,
  type EventOf,
  type InputOf,
  isActorDefinition,
  type OutputOf,
} from "../../actors/define-actor.ts";
import { InvalidDefinitionError, InvalidNameError, InvalidOptionsError } from "../../runtime/core/errors.ts";
import type { RunnableDefinition } from "../../runtime/engine/definition.ts";
import type { StateToMigrate } from "../../runtime/engine/migration.ts";
import { tell } from "../../runtime/machine/actions.ts";

type AccountEvent =
  | { type: "DEPOSIT"; amount: number; at: Date }
  | { type: "RENAME"; name?: string }
  | { type: "CLOSE" };

const account = setup({
  types: {} as { context: { balance: number }; events: AccountEvent; output: { balance: number } },
}).createMachine({
  context: { balance: 0 },
  initial: "open",
  output: ({ context }) => context,
  states: {
    open: {
      on: {
        DEPOSIT: { actions: assign({ balance: ({ context, event }) => context.balance + event.amount }) },
        CLOSE: "closed",
      },
    },
    closed: { type: "final" },
  },
});

const loan = setup({
  types: {} as { context: { sum: number }; input: { sum: number } },
}).createMachine({ context: ({ input }) => ({ sum: input.sum }) });

const loose = createMachine({ on: { ANY: {} } });

const zodEvents = {
  DEPOSIT: z.object({ amount: z.number().positive(), at: z.string().transform((text) => new Date(text)) }),
  CLOSE: null,
};
const valibotEvents = {
  DEPOSIT: v.object({
    amount: v.pipe(v.number(), v.minValue(0.01)),
    at: v.pipe(
      v.string(),
      v.transform((text) => new Date(text)),
    ),
  }),
  CLOSE: null,
};
const effectEvents = {
  DEPOSIT: EffectSchema.Struct({
    amount: EffectSchema.Number.check(EffectSchema.isGreaterThan(0)),
    at: EffectSchema.DateFromString,
  }),
  CLOSE: null,
};

const definitions: ReadonlyArray<[string, AnyActorDefinition]> = [
  ["Zod", defineActor("account", { machine: account, events: zodEvents })],
  ["Valibot", defineActor("account", { machine: account, events: valibotEvents })],
  ["Effect Schema", defineActor("account", { machine: account, events: effectEvents })],
];

describe.each(definitions)("events by type, in %s", (_, definition) => {
  it("gives the machine what the schema made of the event, and leaves the event as it was", () => {
    const sent = Object.freeze({ type: "DEPOSIT", amount: 3, at: "2026-01-02" });
    expect(definition.checkEvent(sent)).toEqual({ event: { type: "DEPOSIT", amount: 3, at: new Date("2026-01-02") } });
  });

  it("tells why it refuses an event", () => {
    const checked = definition.checkEvent({ type: "DEPOSIT", amount: -3, at: "2026-01-02" });
    expect(checked).toEqual({ reason: "schema", problems: [expect.stringMatching(/^amount: /)] });
  });

  it("refuses an event type without a schema, and names the nearest", () => {
    expect(definition.checkEvent({ type: "DEPOSITS" })).toEqual({
      reason: "schema",
      problems: ['actor type "account" takes no event "DEPOSITS": did you mean "DEPOSIT"?'],
    });
    for (const type of ["RENAME", "constructor", "__proto__", "toString"]) {
      expect(definition.checkEvent({ type })).toMatchObject({ reason: "schema" });
    }
  });

  it("takes an event that carries nothing as such only", () => {
    expect(definition.checkEvent({ type: "CLOSE", force: undefined })).toEqual({ event: { type: "CLOSE" } });
    expect(definition.checkEvent({ type: "CLOSE", force: true })).toEqual({
      reason: "schema",
      problems: ['"CLOSE" carries nothing besides its type, and has ["force"]'],
    });
  });

  it("tells the event types that it takes", () => {
    expect(definition.eventTypes).toEqual(["DEPOSIT", "CLOSE"]);
  });
});

describe("one schema for whole events", () => {
  const whole = z.discriminatedUnion("type", [
    z.object({ type: z.literal("DEPOSIT"), amount: z.coerce.number(), at: z.coerce.date() }),
    z.object({ type: z.literal("CLOSE") }),
  ]);
  const definition = defineActor("account", { machine: account, events: whole });

  it("checks the event with its type", () => {
    expect(definition.checkEvent({ type: "DEPOSIT", amount: "3", at: 0 })).toEqual({
      event: { type: "DEPOSIT", amount: 3, at: new Date(0) },
    });
    expect(definition.checkEvent({ type: "OPEN" })).toMatchObject({
      reason: "schema",
      problems: [expect.stringMatching(/^type: /)],
    });
    expect(definition.eventTypes).toBeUndefined();
  });

  it("may not change the type, or give anything but an object", () => {
    const changing = defineActor("loose", { machine: loose, events: z.any().transform(() => ({ type: "OTHER" })) });
    expect(changing.checkEvent({ type: "ANY" })).toMatchObject({ reason: "schema" });
    const payload = defineActor("loose", { machine: loose, events: { ANY: z.any().transform((): object => [1]) } });
    expect(payload.checkEvent({ type: "ANY" })).toMatchObject({
      reason: "schema",
      problems: [expect.stringContaining("must give an object")],
    });
  });
});

describe("any definition", () => {
  const definition = defineActor("loose", { machine: loose });

  it("refuses reserved event types, with schemas and without", () => {
    for (const type of ["", "*", "xstate.init", "xstate.done.actor.x", "statewright.x"]) {
      expect(definition.checkEvent({ type })).toMatchObject({ reason: "reserved" });
      expect(definitions[0]?.[1].checkEvent({ type })).toMatchObject({ reason: "reserved" });
    }
  });

  it("refuses what is no event", () => {
    for (const event of [undefined, null, "ANY", [], {}, { type: 3 }]) {
      expect(definition.checkEvent(event)).toMatchObject({
        reason: "schema",
        problems: [expect.stringContaining("is not an event")],
      });
    }
  });

  it("takes every other event as it comes when there are no schemas", () => {
    const event = { type: "ANY", with: { what: "ever" } };
    expect(definition.checkEvent(event)).toEqual({ event });
    expect(definition.eventTypes).toBeUndefined();
  });

  it("answers at once, also about a type as long as a message", () => {
    const startedMs = performance.now();
    expect(definitions[0]?.[1].checkEvent({ type: "D".repeat(900_000) })).toMatchObject({ reason: "schema" });
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  it("is what the engine runs", () => {
    expectTypeOf(definition).toExtend<RunnableDefinition>();
    expect(definition.supervision(undefined).retry.maxAttempts).toBe(5);
  });

  it("is known as one", () => {
    expect(isActorDefinition(definition)).toBe(true);
    for (const other of [undefined, null, {}, { ...definition }, loose]) expect(isActorDefinition(other)).toBe(false);
  });

  it("names its actors", () => {
    expect(definition.ref("a.b * 🙂")).toEqual({ type: "loose", id: "a.b * 🙂", definition });
    expect(() => definition.ref("")).toThrow(InvalidNameError);
  });
});

describe("input", () => {
  it("is the id of the actor when nothing else is said", () => {
    const definition = defineActor("loose", { machine: loose });
    expect(definition.needsCreate).toBe(false);
    expect(definition.inputFor("7")).toEqual({ id: "7" });
    expect(definition.checkInput({ anything: 1 })).toEqual({ input: { anything: 1 } });
  });

  it("comes from a function of the id", () => {
    const definition = defineActor("loan", { machine: loan, input: (id) => ({ sum: id.length }) });
    expect(definition.needsCreate).toBe(false);
    expect(definition.inputFor("seven")).toEqual({ sum: 5 });
  });

  it.each([
    ["Zod", defineActor("loan", { machine: loan, input: z.object({ sum: z.number() }) })],
    ["Valibot", defineActor("loan", { machine: loan, input: v.object({ sum: v.number() }) })],
    ["Effect Schema", defineActor("loan", { machine: loan, input: EffectSchema.Struct({ sum: EffectSchema.Number }) })],
  ])("is asked for, and checked, with a schema: %s", (_, definition) => {
    expect(definition.needsCreate).toBe(true);
    expect(definition.checkInput({ sum: 3 })).toEqual({ input: { sum: 3 } });
    expect(definition.checkInput({ sum: "3" })).toEqual({
      reason: "schema",
      problems: [expect.stringMatching(/^sum: /)],
    });
    expect(definition.checkInput(undefined)).toMatchObject({ reason: "schema" });
  });
});

describe("a definition that cannot be used", () => {
  it("is refused with all problems of its options at once", () => {
    const options = {
      machine: undefined,
      event: {},
      events: { DEPOSIT: true, "xstate.init": z.any() },
      input: 3,
      retry: { maxAttempts: 0, jiter: "full" },
    };
    expect(() => defineActor("account", options as never)).toThrow(InvalidOptionsError);
    try {
      defineActor("account", options as never);
    } catch (error) {
      expect((error as InvalidOptionsError).message).toMatch(/^Cannot define actor type "account": /);
      expect((error as InvalidOptionsError).details.problems).toEqual([
        'event is not an option: did you mean "events"?',
        "machine is missing: use what XState's createMachine returns",
        'events["DEPOSIT"] is true: use a schema, or null when the event carries nothing',
        expect.stringMatching(/^events\["xstate.init"\] is a reserved event type: /),
        "input is 3: use a schema, or a function that makes the input from the id",
        'retry.jiter is not an option: did you mean "jitter"?',
        "retry.maxAttempts is 0: use a whole number from 1 (the first attempt counts), or Infinity",
      ]);
    }
  });

  it.each([undefined, null, 3, "machine"])("is refused when the options are %s", (options) => {
    expect(() => defineActor("account", options as never)).toThrow(InvalidOptionsError);
  });

  it.each([null, [], 3, {}])("is refused when events is %o", (events) => {
    expect(() => defineActor("account", { machine: loose, events: events as never })).toThrow(/events is/);
  });

  it("is refused by its type", () => {
    for (const type of ["", "1st", "a.b", "a b", "x".repeat(65)]) {
      expect(() => defineActor(type, { machine: loose })).toThrow(InvalidNameError);
    }
  });

  it("is refused by what the machine cannot do durably", () => {
    expect(() => defineActor("account", { machine: createMachine({ invoke: { src: "load" } }) })).toThrow(
      InvalidDefinitionError,
    );
    expect(() => defineActor("account", { machine: {} as unknown as typeof loose })).toThrow(InvalidDefinitionError);
  });
});

describe("migrations", () => {
  const versioned = (version?: string) =>
    setup({
      types: {} as { context: { total: number } },
      actors: { fraud: createMachine({ id: "fraud", version: "5" }) },
    }).createMachine({ context: { total: 0 }, ...(version === undefined ? {} : { version }) });

  it("may say which context they take, and stand beside those of children", () => {
    const definition = defineActor("order", {
      machine: versioned("2"),
      migrate: {
        "none->1": (state) => {
          expectTypeOf(state.context).toEqualTypeOf<Record<string, unknown>>();
          return state;
        },
        "1->2": ({ value, context }: StateToMigrate<{ sum: number }>) => ({ value, context: { total: context.sum } }),
        fraud: { "4->5": (state) => state },
      },
    });
    expect(definition.migrations?.own?.supersedes).toEqual(["1", "none"]);
    expect(definition.migrations?.children.get("fraud")?.own?.supersedes).toEqual(["4"]);
    expect(defineActor("order", { machine: versioned() }).migrations).toBeUndefined();
  });

  it("are refused with the other options, all problems at once", () => {
    const define = (options: object) => () => defineActor("order", options as never);
    expect(define({ machine: versioned("3"), migrate: { "1->2": () => {}, two: 2, fraud: [] }, retry: 3 })).toThrow(
      expect.objectContaining({
        _tag: "InvalidOptionsError",
        details: {
          problems: expect.arrayContaining([
            expect.stringMatching(/^retry/),
            'migrate["two"] does not name two versions: use "from->to", as in "1->2" or "none->1"',
            'migrate["fraud"] is []: use functions by the versions they lead from and to, as in { "1->2": … }',
          ]),
        },
      }),
    );
    expect(define({ machine: versioned(), migrate: { "none->1": () => {} } })).toThrow(
      'Cannot define actor type "order": migrate leads to versions, and the machine has none',
    );
    expect(define({ machine: {}, migrate: { "none->1": () => {} } })).toThrow(InvalidDefinitionError);
  });
});

describe("types", () => {
  const bySchema = defineActor("account", { machine: account, events: zodEvents });
  const byValibot = defineActor("account", { machine: account, events: valibotEvents });
  const byEffect = defineActor("account", { machine: account, events: effectEvents });
  const byMachine = defineActor("account", { machine: account });
  const byWhole = defineActor("loose", { machine: loose, events: z.object({ type: z.literal("ANY"), n: z.number() }) });
  const lending = defineActor("loan", { machine: loan, input: z.object({ sum: z.coerce.number<string>() }) });

  it("come from the schemas' input where there are schemas", () => {
    type Sent = { type: "DEPOSIT"; amount: number; at: string } | { type: "CLOSE" };
    expectTypeOf<EventOf<typeof bySchema>>().toEqualTypeOf<Sent>();
    expectTypeOf<EventOf<typeof byValibot>>().toEqualTypeOf<Sent>();
    expectTypeOf<Sent>().toExtend<EventOf<typeof byEffect>>();
    expectTypeOf<{ type: "DEPOSIT"; amount: string; at: string }>().not.toExtend<EventOf<typeof byEffect>>();
    expectTypeOf<{ type: "RENAME" }>().not.toExtend<EventOf<typeof bySchema>>();
    expectTypeOf<EventOf<typeof byWhole>>().toEqualTypeOf<{ type: "ANY"; n: number }>();
  });

  it("take optional fields as the libraries have them, and machines of any type", () => {
    const renamed = defineActor("account", {
      machine: account,
      events: { RENAME: z.object({ name: z.string().optional() }) },
    });
    expectTypeOf<EventOf<typeof renamed>>().toEqualTypeOf<{ type: "RENAME"; name?: string | undefined }>();
    defineActor("account", {
      machine: account,
      events: { RENAME: EffectSchema.Struct({ name: EffectSchema.optionalKey(EffectSchema.String) }) },
    });
    defineActor("account", { machine: account, events: { RENAME: v.object({ name: v.optional(v.string()) }) } });
    const untyped: AnyStateMachine = account;
    const any = defineActor("account", { machine: untyped, events: { CLOSE: null, ANY: z.object({ n: z.number() }) } });
    expectTypeOf<EventOf<typeof any>>().toEqualTypeOf<{ type: "CLOSE" } | { type: "ANY"; n: number }>();
    defineActor("account", { machine: untyped, input: (id) => ({ id }) });
  });

  it("come from the machine where there are none", () => {
    expectTypeOf<EventOf<typeof byMachine>>().toEqualTypeOf<AccountEvent>();
    expectTypeOf<ContextOf<typeof byMachine>>().toEqualTypeOf<{ balance: number }>();
    expectTypeOf<OutputOf<typeof byMachine>>().toEqualTypeOf<{ balance: number }>();
    expectTypeOf<InputOf<typeof lending>>().toEqualTypeOf<{ sum: string }>();
    expectTypeOf<InputOf<typeof byMachine>>().toBeUnknown();
  });

  it("go with a reference, and with what is told from machine to machine", () => {
    const ref = bySchema.ref("7");
    expectTypeOf<EventOf<(typeof ref)["definition"]>>().toEqualTypeOf<EventOf<typeof bySchema>>();
    expectTypeOf(ref).toExtend<ActorRef>();
    tell(bySchema, "7", { type: "DEPOSIT", amount: 1, at: "2026-01-02" });
    // @ts-expect-error the amount is a number
    tell(bySchema, "7", { type: "DEPOSIT", amount: "1", at: "2026-01-02" });
    // @ts-expect-error there is no such event
    tell(bySchema, "7", { type: "DEPOSITED" });
  });

  it("let no schema in that gives the machine what it does not take", () => {
    // @ts-expect-error the machine takes a number
    defineActor("account", { machine: account, events: { DEPOSIT: z.object({ amount: z.string(), at: z.date() }) } });
    // @ts-expect-error a deposit carries an amount
    defineActor("account", { machine: account, events: { DEPOSIT: null } });
    const wrong = z.object({ type: z.literal("DEPOSIT"), amount: z.string(), at: z.date() });
    // @ts-expect-error the machine takes a number
    defineActor("account", { machine: account, events: wrong });
    // @ts-expect-error the machine takes a number
    defineActor("loan", { machine: loan, input: z.object({ sum: z.string() }) });
    // @ts-expect-error the machine takes a number
    defineActor("loan", { machine: loan, input: () => ({ sum: "3" }) });
    // @ts-expect-error the machine cannot be made from an id alone
    defineActor("loan", { machine: loan });
    // @ts-expect-error there is no such option
    expect(() => defineActor("account", { machine: account, event: {} })).toThrow(InvalidOptionsError);
  });

  it("let any definition be handled as one", () => {
    expectTypeOf([bySchema, byMachine, lending]).toExtend<readonly AnyActorDefinition[]>();
  });
});
