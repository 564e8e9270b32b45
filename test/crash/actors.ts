/** The actors of the crash tests: what they hold at the end shows what was lost, applied twice, or applied out of order. */
import { existsSync } from "node:fs";
import { assign, cancel, emit, enqueueActions, setup } from "xstate";
import { z } from "zod";
import { defineActor, RetryableError, reply, tell } from "../../index.ts";

/** What an account is opened with. */
export const openingBalance = 1_000;

/** How often a message of a {@link worker} is tried; attempts of processes that died count, and what is flaky fails twice in each of up to three. */
export const maxAttempts = 8;

type Note = { type: "NOTE"; sender: string; n: number; book: string };

/** Appends `sender:n` of every message that it applies, tells a ledger, and emits it. */
export const sequencer = defineActor("sequencer", {
  machine: setup({
    types: {} as {
      context: { id: string; applied: string[] };
      input: { id: string };
      events: Note | { type: "UNKNOWN_HERE" };
    },
  }).createMachine({
    id: "sequencer",
    context: ({ input }) => ({ id: input.id, applied: [] }),
    on: {
      NOTE: {
        actions: [
          assign({ applied: ({ context, event }) => [...context.applied, `${event.sender}:${event.n}`] }),
          tell(
            "ledger",
            ({ event }) => event.book,
            ({ context, event }) => ({ type: "ENTER", line: `${context.id}>${event.sender}:${event.n}` }),
          ),
          emit(({ event }) => ({ type: "NOTED", mark: `${event.sender}:${event.n}` })),
        ],
      },
    },
  }),
});

/** Keeps the lines that sequencers tell it, in the order in which they come. */
export const ledger = defineActor("ledger", {
  machine: setup({
    types: {} as {
      context: { lines: string[] };
      events: { type: "ENTER"; line: string } | { type: "ASK_IN"; line: string };
    },
  }).createMachine({
    id: "ledger",
    context: { lines: [] },
    on: {
      ENTER: { actions: assign({ lines: ({ context, event }) => [...context.lines, event.line] }) },
      ASK_IN: {
        actions: [
          assign({ lines: ({ context, event }) => [...context.lines, event.line] }),
          reply(({ context }) => context.lines.length),
        ],
      },
    },
  }),
});

type AccountEvent = { type: "TRANSFER"; to: string; amount: number } | { type: "CREDIT"; amount: number };

/** Holds money. A transfer takes it from here and tells the other account; one that is not covered is ignored. */
export const account = defineActor("account", {
  machine: setup({
    types: {} as { context: { balance: number }; events: AccountEvent },
  }).createMachine({
    id: "account",
    context: { balance: openingBalance },
    on: {
      TRANSFER: {
        guard: ({ context, event }) => context.balance >= event.amount,
        actions: [
          assign({ balance: ({ context, event }) => context.balance - event.amount }),
          tell(
            "account",
            ({ event }) => event.to,
            ({ event }) => ({ type: "CREDIT", amount: event.amount }),
          ),
        ],
      },
      CREDIT: { actions: assign({ balance: ({ context, event }) => context.balance + event.amount }) },
    },
  }),
  events: {
    TRANSFER: z.object({ to: z.string(), amount: z.number().int().positive() }),
    CREDIT: z.object({ amount: z.number().int().positive() }),
  },
});

/** How much later a slow message of a {@link worker} is tried again. */
export const slowMs = 8_000;

type Work = { type: "WORK"; n: number; flaw?: "poison" | "flaky" | "slow" | undefined };

/** Does what it is told, in order; throws on every attempt at poison, on the first two at what is flaky, on the first at what is slow. */
export const worker = defineActor("worker", {
  machine: setup({
    types: {} as { context: { done: number[] }; events: Work },
  }).createMachine({
    id: "worker",
    context: { done: [] },
    on: {
      WORK: {
        actions: assign(({ context, event }) => {
          if (event.flaw === "poison") throw new Error(`Message ${event.n} is poison`);
          if (event.flaw === "slow" && countAttempt(event.n) === 1) {
            throw new RetryableError(`Message ${event.n} is to be tried much later`, { retryAfter: slowMs });
          }
          if (event.flaw === "flaky" && countAttempt(event.n) <= 2) {
            throw new RetryableError(`Message ${event.n} does not work yet`);
          }
          return { done: [...context.done, event.n] };
        }),
      },
    },
  }),
  retry: { base: 80, factor: 1, jitter: "none", maxAttempts },
});

type Reminder =
  | { type: "SET"; n: number; delayMs: number }
  | { type: "CANCEL"; n: number }
  | { type: "RING"; n: number };

/** Keeps the numbers of its timers that have rung, in that order. */
export const reminder = defineActor("reminder", {
  machine: setup({
    types: {} as { context: { rung: number[] }; events: Reminder },
  }).createMachine({
    id: "reminder",
    context: { rung: [] },
    on: {
      SET: {
        actions: enqueueActions(({ enqueue, event: { n, delayMs } }) => {
          enqueue.raise({ type: "RING", n }, { id: `t${n}`, delay: delayMs });
        }),
      },
      CANCEL: { actions: cancel(({ event }) => `t${event.n}`) },
      RING: { actions: assign({ rung: ({ context, event }) => [...context.rung, event.n] }) },
    },
  }),
});

/** How a message of a {@link victim} ends the process. */
export type Deadly = "kill" | "loop" | "memory";

/** `until`: the file that the message waits for, and everything else in the process with it. */
type Take = { type: "TAKE"; n: number; deadly?: Deadly | undefined; until?: string | undefined };

/** Appends the numbers that it is sent; some of its messages end the process. */
export const victim = defineActor("victim", {
  machine: setup({
    types: {} as { context: { applied: number[] }; events: Take },
  }).createMachine({
    id: "victim",
    context: { applied: [] },
    on: {
      TAKE: {
        actions: assign(({ context, event }) => {
          if (event.deadly !== undefined) endProcess(event.deadly);
          while (event.until !== undefined && !existsSync(event.until));
          return { applied: [...context.applied, event.n] };
        }),
      },
    },
  }),
});

/** Tells a ledger of its own name each number that it reads, and keeps nothing: messages are delivered at most once. */
export const gauge = defineActor("gauge", {
  delivery: "at-most-once",
  machine: setup({
    types: {} as { context: { id: string }; input: { id: string }; events: { type: "READ"; n: number } },
  }).createMachine({
    id: "gauge",
    context: ({ input }) => ({ id: input.id }),
    on: {
      READ: {
        actions: tell(
          "ledger",
          ({ context }) => context.id,
          ({ event }) => ({ type: "ENTER", line: String(event.n) }),
        ),
      },
    },
  }),
});

/** Ends this process as user code can. */
function endProcess(how: Deadly): void {
  if (how === "kill") process.kill(process.pid, "SIGKILL");
  const held: unknown[] = [];
  for (;;) if (how === "memory") held.push(new Array(100_000).fill(held.length));
}

/** All of them, as every node of a test runs them. */
export const actors = [sequencer, ledger, account, worker, reminder, victim, gauge];

/** In this process only, as a thing outside that fails for a while would: a node that takes over begins again. */
function countAttempt(n: number): number {
  const count = (attempts.get(n) ?? 0) + 1;
  attempts.set(n, count);
  return count;
}

const attempts = new Map<number, number>();
