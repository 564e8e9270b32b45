/** Actor logic that several scenarios share. */
import { assign, fromPromise, sendParent, setup } from "xstate";
import { hour } from "../../scenarios/scenario.ts";

/** Anything that may be put in; `any` would take the types from functions that make it. */
export type Input = string | number | boolean | object | undefined;

/** Resolves with its input. */
export const echo = fromPromise<any, Input>(async ({ input }) => input);

/** Resolves with nothing but the sum of its input. */
export const sum = fromPromise<number, { readonly left: number; readonly right: number }>(
  async ({ input }) => input.left + input.right,
);

/** Rejects with an error whose message is its input. */
export const failing = fromPromise<never, Input>(async ({ input }) => {
  throw new Error(String(input));
});

/** Never resolves. */
export const forever = fromPromise<string, Input>(() => new Promise<string>(() => {}));

/** Counts by ADD, and tells its parent by COUNT when it gets TELL. */
export const counter = setup({
  types: { context: {} as { n: number }, input: {} as { from?: number } | undefined },
}).createMachine({
  context: ({ input }) => ({ n: input?.from ?? 0 }),
  on: {
    ADD: { actions: assign({ n: ({ context, event }) => context.n + (event.by ?? 1) }) },
    TELL: { actions: sendParent(({ context, self }) => ({ type: "COUNT", from: self.id, n: context.n })) },
  },
});

/** Keeps what it gets by ITEM, and tells its parent by LIST when it gets TELL. */
export const collector = setup({ types: { context: {} as { items: unknown[] } } }).createMachine({
  context: { items: [] },
  on: {
    ITEM: { actions: assign({ items: ({ context, event }) => [...context.items, event.item] }) },
    TELL: { actions: sendParent(({ context }) => ({ type: "LIST", items: context.items })) },
  },
});

/** Tells its parent by TICK, with its id, every hour. */
export const ticker = setup({}).createMachine({
  initial: "waiting",
  states: {
    waiting: {
      after: {
        [hour]: {
          target: "waiting",
          reenter: true,
          actions: sendParent(({ self }) => ({ type: "TICK", from: self.id })),
        },
      },
    },
  },
});

/** Ends when it gets END, with the event's `value` as output. */
export const mortal = setup({ types: { context: {} as { value: any } } }).createMachine({
  context: { value: undefined },
  initial: "alive",
  states: {
    alive: { on: { END: { target: "dead", actions: assign({ value: ({ event }) => event.value }) } } },
    dead: { type: "final" },
  },
  output: ({ context }) => context.value,
});

/** Throws when it gets FAIL, with the event's `reason` as message. */
export const fragile = setup({ types: { context: {} as { n: number } } }).createMachine({
  context: { n: 0 },
  on: {
    ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) },
    FAIL: {
      actions: assign(({ event }) => {
        throw new Error(event.reason);
      }),
    },
    TELL: { actions: sendParent(({ context, self }) => ({ type: "COUNT", from: self.id, n: context.n })) },
  },
});

/** What an observable's subscriber is told. */
interface Observer<T> {
  readonly next?: (value: T) => void;
  readonly error?: (error: unknown) => void;
  readonly complete?: () => void;
}

/**
 * An observable that hands over its values at once, and then ends as `end` says.
 *
 * `onUnsubscribe`: called when it is no longer wanted.
 */
export function observableOf<T>(
  values: readonly T[],
  end: "open" | "complete" | { readonly error: unknown } = "open",
  onUnsubscribe: () => void = () => {},
): any {
  return {
    subscribe: (observer: Observer<T>) => {
      for (const value of values) observer.next?.(value);
      if (end === "complete") observer.complete?.();
      else if (end !== "open") observer.error?.(end.error);
      return { unsubscribe: onUnsubscribe };
    },
  };
}
