/**
 * What goes wrong with which message, decided by the flight's place in the file: every run is the same.
 *
 * Of every 100 flights one is bad, in turn in one of three ways, and two others are sent twice.
 */
import type { Flight } from "./data.ts";

/**
 * `schema`: a feed writes the delay as text, which the schema refuses. `poison`: the machine throws whenever it sees it. `flaky`: the machine throws
 * twice and then works.
 */
export type Trouble = "schema" | "poison" | "flaky";

const troubles: readonly Trouble[] = ["schema", "poison", "flaky"];

/** Says what is wrong with a flight's message; undefined: nothing. */
export function troubleOf({ index }: Flight): Trouble | undefined {
  return index % 100 === 37 ? troubles[Math.floor(index / 100) % troubles.length] : undefined;
}

/** True when the message cannot be applied before the fix. */
export function isDeadBeforeFix(flight: Flight): boolean {
  const trouble = troubleOf(flight);
  return trouble === "schema" || trouble === "poison";
}

/**
 * Says who sends a flight a second time, with the same key; undefined: nobody. `same`: its own sender, as after a lost confirmation. `other`: another
 * service, which knows nothing of the first.
 */
export function repeatedBy({ index }: Flight): "same" | "other" | undefined {
  if (index % 100 === 13) return "same";
  return index % 100 === 63 ? "other" : undefined;
}

/** What the machine stumbles over. */
const remarks = { schema: undefined, poison: "diverted", flaky: "radar", none: undefined } as const;

/** The message that says that a flight has left, as the definition takes it; what the schema refuses is made of it on the way. */
export function departure(flight: Flight) {
  const { id, destination, delay } = flight;
  return { type: "DEPARTED", flight: id, destination, delay, remark: remarks[troubleOf(flight) ?? "none"] } as const;
}

/** How many messages are to meet what. */
export interface Plan {
  readonly flights: readonly Flight[];
  readonly schema: number;
  readonly poison: number;
  readonly flaky: number;
  /** `schema` and `poison` together: what becomes a dead letter before the fix. */
  readonly dead: number;
  readonly repeated: number;
}

/** Counts what will go wrong. */
export function planOf(flights: readonly Flight[]): Plan {
  const count = (isMeant: (flight: Flight) => boolean) => flights.filter(isMeant).length;
  return {
    flights,
    schema: count((flight) => troubleOf(flight) === "schema"),
    poison: count((flight) => troubleOf(flight) === "poison"),
    flaky: count((flight) => troubleOf(flight) === "flaky"),
    dead: count(isDeadBeforeFix),
    repeated: count((flight) => repeatedBy(flight) !== undefined),
  };
}
