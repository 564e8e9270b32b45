/**
 * The actor of the demo: one airport, which counts its flights.
 *
 * A flight is one DEPARTED message to its origin. The transition counts it and tells the destination ARRIVED, and both are one commit: there is no
 * moment at which the flight has left and will not arrive, or arrives twice.
 */
import { assign, setup } from "xstate";
import { z } from "zod";
// In a project of your own this is: from "statewright"
import { defineActor, RetryableError, tell } from "../../index.ts";

/** The definition as it was first deployed, with two mistakes in it, and as it is after the fix. */
export type Version = "before" | "fixed";

/** What an airport holds, and what the data file says that it should hold. */
export interface Totals {
  readonly departures: number;
  readonly arrivals: number;
  /** Minutes of delay of all flights that left or landed. */
  readonly delay: number;
}

interface Departed {
  readonly type: "DEPARTED";
  readonly flight: string;
  readonly destination: string;
  readonly delay: number;
  readonly remark?: "diverted" | "radar" | undefined;
}

interface Arrived {
  readonly type: "ARRIVED";
  readonly flight: string;
  readonly delay: number;
}

/** How often a message is tried before it becomes a dead letter. Attempts are counted over crashes: what is flaky in each of three processes twice must still have one left. */
export const maxAttempts = 8;

/** Defines the airport. */
export function defineAirport(version: Version) {
  const machine = setup({
    types: { context: {} as Totals, events: {} as Departed | Arrived },
  }).createMachine({
    id: "airport",
    version: version === "before" ? "1" : "2",
    context: { departures: 0, arrivals: 0, delay: 0 },
    on: {
      DEPARTED: {
        actions: [
          assign(({ context, event }) => {
            readRemark(event, version);
            return { departures: context.departures + 1, delay: context.delay + event.delay };
          }),
          tell(
            "airport",
            ({ event }) => event.destination,
            ({ event: { flight, delay } }) => ({ type: "ARRIVED", flight, delay }),
          ),
        ],
      },
      ARRIVED: {
        actions: assign({
          arrivals: ({ context }) => context.arrivals + 1,
          delay: ({ context, event }) => context.delay + event.delay,
        }),
      },
    },
  });

  return defineActor("airport", {
    machine,
    events: {
      DEPARTED: z.object({
        flight: z.string(),
        destination: z.string().length(3),
        // The first mistake: one feed writes minutes as text, and nobody knew.
        delay: version === "before" ? minutes : z.union([minutes, minutesAsText]),
        remark: z.enum(["diverted", "radar"]).optional(),
      }),
      ARRIVED: z.object({ flight: z.string(), delay: minutes }),
    },
    retry: { base: 50, cap: 400, maxAttempts },
  });
}

const minutes = z.number().int();
const minutesAsText = z
  .string()
  .regex(/^-?\d+$/)
  .transform(Number);

/** Throws where a real machine would fail: on what it was not written for, and on what fails for a while. */
function readRemark({ flight, remark }: Departed, version: Version): void {
  // The second mistake: every attempt fails in the same way.
  if (remark === "diverted" && version === "before") throw new Error(`Flight ${flight} was diverted: not implemented`);
  if (remark === "radar" && countAttempt(flight) <= 2) {
    throw new RetryableError(`The radar does not see flight ${flight} yet`);
  }
}

/**
 * Counts in this process only: a node that takes over begins again.
 *
 * A machine should be pure. This one is not, because it has to play something that is broken and heals by itself.
 */
function countAttempt(flight: string): number {
  const count = (attempts.get(flight) ?? 0) + 1;
  attempts.set(flight, count);
  return count;
}

const attempts = new Map<string, number>();
