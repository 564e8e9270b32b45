/** A file that is uploaded part by part: a part that fails is tried again after growing delays, and a part that cannot be helped gives up. */
import { assign, emit, fromPromise, setup } from "xstate";
import { hour, type Scenario } from "../scenarios/scenario.ts";

interface Part {
  readonly file: string;
  readonly no: number;
  readonly attempt: number;
  /** How many attempts of a part fail, by its number. */
  readonly faults: Readonly<Record<number, number>>;
}

const putPart = fromPromise<{ etag: string }, Part>(async ({ input }) => {
  if (input.attempt <= (input.faults[input.no] ?? 0)) throw new Error(`part ${input.no} broke`);
  return { etag: `${input.file}.${input.no}.${input.attempt}` };
});

const complete = fromPromise<{ url: string }, { file: string; etags: readonly string[] }>(async ({ input }) => ({
  url: `https://files.example/${input.file}?parts=${input.etags.length}`,
}));

const uploadMachine = setup({
  types: {
    context: {} as {
      file: string;
      parts: number;
      faults: Readonly<Record<number, number>>;
      attempt: number;
      etags: readonly string[];
      url: string | null;
    },
    events: {} as { type: "PAUSE" } | { type: "RESUME" } | { type: "ABORT" },
    input: {} as { file: string; parts: number; faults: Readonly<Record<number, number>> },
    output: {} as { url: string | null; parts: number },
    emitted: {} as
      | { type: "PART"; etag: string; of: number }
      | { type: "RETRY"; part: number; hours: number; reason: string }
      | { type: "UPLOADED"; url: string }
      | { type: "GAVE_UP"; part: number },
  },
  actors: { putPart, complete },
  guards: {
    isComplete: ({ context }) => context.etags.length === context.parts,
    isHopeless: ({ context }) => context.attempt > 4,
  },
  delays: { backoff: ({ context }) => 2 ** (context.attempt - 2) * hour },
}).createMachine({
  id: "upload",
  context: ({ input }) => ({ ...input, attempt: 1, etags: [], url: null }),
  initial: "uploading",
  states: {
    uploading: {
      initial: "choosing",
      on: { PAUSE: "paused", ABORT: "failed" },
      states: {
        choosing: { always: [{ guard: "isComplete", target: "#upload.completing" }, { target: "putting" }] },
        putting: {
          invoke: {
            id: "part",
            src: "putPart",
            input: ({ context }) => ({
              file: context.file,
              no: context.etags.length + 1,
              attempt: context.attempt,
              faults: context.faults,
            }),
            onDone: {
              target: "choosing",
              actions: [
                assign({ etags: ({ context, event }) => [...context.etags, event.output.etag], attempt: 1 }),
                emit(({ context, event }) => ({ type: "PART", etag: event.output.etag, of: context.parts })),
              ],
            },
            onError: {
              target: "backingOff",
              actions: [
                assign({ attempt: ({ context }) => context.attempt + 1 }),
                emit(({ context, event }) => ({
                  type: "RETRY",
                  part: context.etags.length + 1,
                  hours: 2 ** (context.attempt - 2),
                  reason: (event.error as Error).message,
                })),
              ],
            },
          },
        },
        backingOff: {
          always: { guard: "isHopeless", target: "#upload.failed" },
          after: { backoff: "putting" },
        },
        where: { type: "history" },
      },
    },
    paused: { on: { RESUME: "uploading.where", ABORT: "failed" } },
    completing: {
      invoke: {
        src: "complete",
        input: ({ context }) => ({ file: context.file, etags: context.etags }),
        onDone: {
          target: "uploaded",
          actions: [
            assign({ url: ({ event }) => event.output.url }),
            emit(({ event }) => ({ type: "UPLOADED", url: event.output.url })),
          ],
        },
      },
    },
    uploaded: { type: "final" },
    failed: {
      type: "final",
      entry: emit(({ context }) => ({ type: "GAVE_UP", part: context.etags.length + 1 })),
    },
  },
  output: ({ context }) => ({ url: context.url, parts: context.etags.length }),
});

const part = (no: number, attempt: number) => ({ type: "PART", etag: `cat.png.${no}.${attempt}`, of: 3 });
const retry = (no: number, hours: number) => ({ type: "RETRY", part: no, hours, reason: `part ${no} broke` });

/** Uploads that get through, and that give up. */
export const upload: readonly Scenario[] = [
  {
    name: "a file is uploaded although parts of it fail at first",
    covers: ["logic.promise", "invoke.onError", "after.dynamic", "history.shallow", "eventless.guard", "target.id"],
    machine: () => uploadMachine,
    input: { file: "cat.png", parts: 3, faults: { 2: 2 } },
    steps: [
      { expect: { value: { uploading: "backingOff" }, emitted: [part(1, 1), retry(2, 1)] } },
      { send: { type: "PAUSE" } },
      { hours: 5 },
      { send: { type: "RESUME" } },
      { hours: 1 },
      { expect: { value: { uploading: "backingOff" }, contextHas: { attempt: 3 } } },
      { hours: 2 },
      {
        expect: {
          status: "done",
          output: { url: "https://files.example/cat.png?parts=3", parts: 3 },
          emitted: [
            part(1, 1),
            retry(2, 1),
            retry(2, 2),
            part(2, 3),
            part(3, 1),
            { type: "UPLOADED", url: "https://files.example/cat.png?parts=3" },
          ],
        },
      },
    ],
  },
  {
    name: "an upload gives up on a part that fails four times",
    covers: ["invoke.onError", "after.dynamic", "eventless.guard", "machine.output"],
    machine: () => uploadMachine,
    input: { file: "cat.png", parts: 3, faults: { 1: 9 } },
    steps: [
      { hours: 1 },
      { hours: 2 },
      { expect: { value: { uploading: "backingOff" }, contextHas: { attempt: 4 } } },
      { hours: 4 },
      {
        expect: {
          status: "done",
          value: "failed",
          output: { url: null, parts: 0 },
          emitted: [retry(1, 1), retry(1, 2), retry(1, 4), retry(1, 8), { type: "GAVE_UP", part: 1 }],
        },
      },
    ],
  },
];
