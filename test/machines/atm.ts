/** A session at a cash machine: a card, a PIN with three tries, an account at the bank, and a session that ends by itself. */
import { assign, emit, fromPromise, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

const verifyPin = fromPromise<{ isRight: boolean; balance: number }, { card: string; pin: string }>(
  async ({ input }) => ({ isRight: input.pin === "4711", balance: 300 }),
);

const withdraw = fromPromise<{ balance: number }, { card: string; amount: number; balance: number }>(
  async ({ input }) => {
    if (input.amount > input.balance)
      throw Object.assign(new Error("not enough money"), {
        code: "LIMIT",
        data: { missing: input.amount - input.balance },
      });
    return { balance: input.balance - input.amount };
  },
);

/** Where the machine stands decides what it holds: `provide` brings it in. */
const atmMachine = setup({
  types: {
    context: {} as { card: string; tries: number; balance: number; amount: number; cash: number },
    events: {} as
      | { type: "CARD"; card: string }
      | { type: "PIN"; pin: string }
      | { type: "WITHDRAW"; amount: number }
      | { type: "BALANCE" }
      | { type: "TAKE_CARD" }
      | { type: "REFILL"; cash: number },
    emitted: {} as
      | { type: "SCREEN"; text: string }
      | { type: "NOTES"; amount: number }
      | { type: "KEPT"; card: string },
  },
  actors: { verifyPin, withdraw },
  delays: { patience: hour },
  guards: {
    isLastTry: ({ context }) => context.tries >= 2,
    hasCash: (_, __: { amount: number }) => false,
  },
}).createMachine({
  id: "atm",
  context: { card: "", tries: 0, balance: 0, amount: 0, cash: 500 },
  initial: "idle",
  on: { REFILL: { actions: assign({ cash: ({ context, event }) => context.cash + event.cash }) } },
  states: {
    idle: {
      entry: assign({ card: "", tries: 0, balance: 0, amount: 0 }),
      on: { CARD: { target: "session", actions: assign({ card: ({ event }) => event.card }) } },
    },
    session: {
      initial: "pin",
      on: { TAKE_CARD: "#atm.idle", "*": { actions: emit({ type: "SCREEN", text: "please wait" }) } },
      states: {
        pin: {
          on: { PIN: "verifying" },
          after: { patience: "#atm.keeping" },
        },
        verifying: {
          invoke: {
            src: "verifyPin",
            input: ({ context, event }) => ({ card: context.card, pin: event.type === "PIN" ? event.pin : "" }),
            onDone: [
              {
                guard: ({ event }) => event.output.isRight,
                target: "menu",
                actions: assign({ balance: ({ event }) => event.output.balance, tries: 0 }),
              },
              { guard: "isLastTry", target: "#atm.keeping" },
              {
                target: "pin",
                actions: [
                  assign({ tries: ({ context }) => context.tries + 1 }),
                  emit(({ context }) => ({ type: "SCREEN", text: `wrong, ${3 - context.tries} left` })),
                ],
              },
            ],
          },
        },
        menu: {
          on: {
            BALANCE: { actions: emit(({ context }) => ({ type: "SCREEN", text: `balance ${context.balance}` })) },
            WITHDRAW: [
              {
                guard: { type: "hasCash", params: ({ event }) => ({ amount: event.amount }) },
                target: "paying",
                actions: assign({ amount: ({ event }) => event.amount }),
              },
              { actions: emit({ type: "SCREEN", text: "no cash" }) },
            ],
          },
          after: { patience: "#atm.keeping" },
        },
        paying: {
          invoke: {
            src: "withdraw",
            input: ({ context }) => ({ card: context.card, amount: context.amount, balance: context.balance }),
            onDone: {
              target: "menu",
              actions: [
                assign({
                  balance: ({ event }) => event.output.balance,
                  cash: ({ context }) => context.cash - context.amount,
                }),
                emit(({ context }) => ({ type: "NOTES", amount: context.amount })),
              ],
            },
            onError: {
              target: "menu",
              actions: emit(({ event }) => {
                const { code, data } = event.error as { code: string; data: { missing: number } };
                return { type: "SCREEN", text: `${code}: ${data.missing} missing` };
              }),
            },
          },
        },
      },
    },
    keeping: {
      entry: emit(({ context }) => ({ type: "KEPT", card: context.card })),
      always: "idle",
    },
  },
});

const screen = (text: string) => ({ type: "SCREEN", text });

/** Sessions with money, and without a PIN. */
export const atm: readonly Scenario[] = [
  {
    name: "a cash machine pays out what account and drawer allow",
    covers: ["machine.provide", "event.wildcard", "logic.promise", "errors.fields", "guard.params", "target.id"],
    machine: () => atmMachine.provide({ guards: { hasCash: ({ context }, { amount }) => amount <= context.cash } }),
    steps: [
      { send: { type: "PIN", pin: "4711" } },
      { send: { type: "CARD", card: "c-1" } },
      { send: { type: "WITHDRAW", amount: 10 } },
      { send: { type: "PIN", pin: "0000" } },
      { send: { type: "PIN", pin: "4711" } },
      { send: { type: "WITHDRAW", amount: 200 } },
      { send: { type: "WITHDRAW", amount: 200 } },
      { send: { type: "WITHDRAW", amount: 400 } },
      { expect: { value: { session: "menu" }, contextHas: { balance: 100, cash: 300, tries: 0 } } },
      { send: { type: "REFILL", cash: 1000 } },
      { send: { type: "BALANCE" } },
      { send: { type: "TAKE_CARD" } },
      { send: { type: "REFILL", cash: 1000 } },
      {
        expect: {
          value: "idle",
          context: { card: "", tries: 0, balance: 0, amount: 0, cash: 1300 },
          emitted: [
            screen("please wait"),
            screen("wrong, 2 left"),
            { type: "NOTES", amount: 200 },
            screen("LIMIT: 100 missing"),
            screen("no cash"),
            screen("please wait"),
            screen("balance 100"),
          ],
        },
      },
    ],
  },
  {
    name: "a cash machine keeps cards after three wrong tries and after long silence",
    covers: ["after.named", "eventless.guard", "target.id", "action.entry", "action.exit"],
    machine: () => atmMachine.provide({ delays: { patience: 2 * hour } }),
    steps: [
      { send: { type: "CARD", card: "c-2" } },
      { send: { type: "PIN", pin: "1" } },
      { send: { type: "PIN", pin: "2" } },
      { hours: 1 },
      { send: { type: "PIN", pin: "3" } },
      { expect: { value: "idle" } },
      { send: { type: "CARD", card: "c-3" } },
      { send: { type: "PIN", pin: "4711" } },
      { send: { type: "WITHDRAW", amount: 1 } },
      { hours: 2 },
      {
        expect: {
          value: "idle",
          emitted: [
            screen("wrong, 2 left"),
            screen("wrong, 1 left"),
            { type: "KEPT", card: "c-2" },
            screen("no cash"),
            { type: "KEPT", card: "c-3" },
          ],
        },
      },
    ],
  },
];
