/** A mailer with a limit: two letters an hour, the rest wait in line, and an address that bounces is not written to again. */
import { assign, emit, fromPromise, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

interface Letter {
  readonly to: string;
  readonly subject: string;
}

class BounceError extends Error {
  override readonly name = "BounceError";
  readonly code = "550";
}

const deliver = fromPromise<{ id: string }, Letter>(async ({ input }) => {
  if (!input.to.includes("@")) throw new BounceError(`no such mailbox: ${input.to}`);
  return { id: `${input.to}#${input.subject}` };
});

const mailerMachine = setup({
  types: {
    context: {} as { line: readonly Letter[]; sent: number; bounced: ReadonlySet<string> },
    events: {} as { type: "MAIL"; letter: Letter } | { type: "RENEW" },
    emitted: {} as
      | { type: "DELIVERED"; id: string }
      | { type: "BOUNCED"; to: string; code: string }
      | { type: "SKIPPED"; to: string },
  },
  actors: { deliver },
  guards: {
    isEmpty: ({ context }) => context.line.length === 0,
    isExhausted: ({ context }) => context.sent >= 2,
    hasBounced: ({ context }) => context.bounced.has(context.line[0]?.to ?? ""),
  },
  actions: {
    queue: assign({
      line: ({ context, event }) => (event.type === "MAIL" ? [...context.line, event.letter] : context.line),
    }),
    shift: assign({ line: ({ context }) => context.line.slice(1) }),
    count: assign({ sent: ({ context }) => context.sent + 1 }),
  },
}).createMachine({
  id: "mailer",
  context: { line: [], sent: 0, bounced: new Set() },
  type: "parallel",
  states: {
    window: {
      initial: "unused",
      states: {
        unused: { always: { guard: ({ context }) => context.sent > 0, target: "used" } },
        used: { after: { [hour]: { target: "unused", actions: assign({ sent: 0 }) } } },
      },
    },
    work: {
      initial: "idle",
      on: { MAIL: { actions: "queue" } },
      states: {
        idle: {
          always: [
            { guard: "isEmpty", target: "empty" },
            {
              guard: "hasBounced",
              target: "idle",
              reenter: true,
              actions: [emit(({ context }) => ({ type: "SKIPPED", to: context.line[0]?.to ?? "" })), "shift"],
            },
            { guard: "isExhausted", target: "limited" },
            { target: "sending" },
          ],
        },
        empty: { always: { guard: ({ context }) => context.line.length > 0, target: "idle" } },
        limited: { tags: ["limited"], always: { guard: ({ context }) => context.sent === 0, target: "idle" } },
        sending: {
          entry: "count",
          invoke: {
            src: "deliver",
            input: ({ context }) => context.line[0] as Letter,
            onDone: {
              target: "idle",
              actions: [emit(({ event }) => ({ type: "DELIVERED", id: event.output.id })), "shift"],
            },
            onError: {
              target: "idle",
              actions: [
                emit(({ context, event }) => ({
                  type: "BOUNCED",
                  to: context.line[0]?.to ?? "",
                  code: (event.error as BounceError).code,
                })),
                assign({ bounced: ({ context }) => new Set([...context.bounced, context.line[0]?.to ?? ""]) }),
                "shift",
              ],
            },
          },
        },
      },
    },
  },
});

const letter = (to: string, subject: string) => ({ type: "MAIL", letter: { to, subject } });

/** A busy hour, and the quiet one after it. */
export const mailer: readonly Scenario[] = [
  {
    name: "a mailer keeps to its limit and does not write to an address that bounced",
    covers: [
      "parallel.enter",
      "parallel.independent",
      "eventless.guard",
      "logic.promise",
      "invoke.onError",
      "value.set",
      "after.numeric",
      "tags.state",
    ],
    machine: () => mailerMachine,
    steps: [
      { send: letter("ada@x.org", "one") },
      { send: letter("nowhere", "two") },
      { send: letter("bob@x.org", "three") },
      { send: letter("nowhere", "four") },
      { send: letter("eve@x.org", "five") },
      { expect: { value: { window: "used", work: "limited" }, tags: ["limited"], contextHas: { sent: 2 } } },
      { hours: 1 },
      { expect: { contextHas: { sent: 2, line: [] } } },
      { hours: 2 },
      { send: letter("nowhere", "six") },
      { send: letter("ada@x.org", "seven") },
      {
        expect: {
          value: { window: "used", work: "empty" },
          context: { line: [], sent: 1, bounced: new Set(["nowhere"]) },
          tags: [],
          emitted: [
            { type: "DELIVERED", id: "ada@x.org#one" },
            { type: "BOUNCED", to: "nowhere", code: "550" },
            { type: "DELIVERED", id: "bob@x.org#three" },
            { type: "SKIPPED", to: "nowhere" },
            { type: "DELIVERED", id: "eve@x.org#five" },
            { type: "SKIPPED", to: "nowhere" },
            { type: "DELIVERED", id: "ada@x.org#seven" },
          ],
        },
      },
    ],
  },
];
