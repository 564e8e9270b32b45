/** Actors and activities for workers that are processes of their own; handlers tell on standard output what they do. */
import { assign, setup } from "xstate";
import { type ActivityRun, defineActivity, defineActor } from "../../index.ts";

/** What a handler tells. */
export interface ToldRun {
  readonly what: "started" | "aborted" | "returns";
  readonly attempt: number;
  readonly key: string;
  readonly reason?: string;
}

interface Input {
  readonly ms: number;
}

const tell = (told: ToldRun) => process.stdout.write(`@${JSON.stringify(told)}\n`);

const slow = defineActivity("slow", {
  heartbeat: 2000,
  run: async ({ input, signal, attempt, idempotencyKey: key }: ActivityRun<Input>) => {
    tell({ what: "started", attempt, key });
    signal.addEventListener("abort", () => tell({ what: "aborted", attempt, key, reason: signal.reason.name }));
    await new Promise((resolve) => setTimeout(resolve, input.ms));
    tell({ what: "returns", attempt, key });
    return `slow ${attempt}`;
  },
});

const never = defineActivity("never", {
  attemptTimeout: 700,
  retry: { maxAttempts: 2, base: 100 },
  run: ({ attempt, idempotencyKey: key }: ActivityRun<Input>) => {
    tell({ what: "started", attempt, key });
    return new Promise(() => {});
  },
});

const blocking = defineActivity("blocking", {
  heartbeat: 2000,
  run: async ({ input, attempt, idempotencyKey: key }: ActivityRun<Input>) => {
    tell({ what: "started", attempt, key });
    // Once: its worker shows no sign of life, and cannot even be asked.
    const untilMs = performance.now() + (attempt === 1 ? input.ms : 0);
    while (performance.now() < untilMs);
    tell({ what: "returns", attempt, key });
    return `blocking ${attempt}`;
  },
});

/** What came of an activity, in a word. */
function toldBy(event: object): string {
  const { output, error } = event as { readonly output?: string; readonly error?: Error };
  return output ?? error?.name ?? "nothing";
}

const ends = { target: "idle", actions: "note" } as const;

export const job = defineActor("job", {
  machine: setup({
    types: {
      context: {} as { log: readonly string[] },
      events: {} as { type: "SLOW" | "NEVER" | "BLOCKING" | "STOP"; ms?: number },
    },
    actors: { slow, never, blocking },
    actions: { note: assign({ log: ({ context, event }) => [...context.log, toldBy(event)] }) },
  }).createMachine({
    context: { log: [] },
    initial: "idle",
    on: { STOP: ".idle" },
    states: {
      idle: { on: { SLOW: "slow", NEVER: "never", BLOCKING: "blocking" } },
      slow: { invoke: { src: "slow", input: ({ event }) => inputOf(event), onDone: ends, onError: ends } },
      never: { invoke: { src: "never", input: ({ event }) => inputOf(event), onDone: ends, onError: ends } },
      blocking: { invoke: { src: "blocking", input: ({ event }) => inputOf(event), onDone: ends, onError: ends } },
    },
  }),
});

function inputOf(event: { readonly ms?: number }): Input {
  return { ms: event.ms ?? 0 };
}
