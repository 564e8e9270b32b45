/** Looking at the run from outside, as any user could: what the actors hold, and whether it still changes. */
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "../../index.ts";
import type { defineAirport, Totals } from "./airport.ts";
import { nothing } from "./data.ts";

/** Reads what every airport holds now. */
export async function readTotals(
  client: Client,
  airport: ReturnType<typeof defineAirport>,
  ids: readonly string[],
): Promise<Map<string, Totals>> {
  const views = await Promise.all(ids.map((id) => client.get(airport.ref(id))));
  return new Map(ids.map((id, i) => [id, views[i]?.context ?? nothing]));
}

/** How many messages these airports have applied. */
export function appliedIn(totals: ReadonlyMap<string, Totals>): number {
  let applied = 0;
  for (const { departures, arrivals } of totals.values()) applied += departures + arrivals;
  return applied;
}

/** What one look has found. */
export interface Look {
  readonly isDone: boolean;
  /** A text that changes as long as the run gets on. */
  readonly mark: string;
}

const everyMs = 250;

/** A run in which nothing changes for so long is given up. */
export const stallMs = 30_000;

/** Looks again and again until all is done; false when nothing has changed for too long. */
export async function lookUntilDone(look: () => Promise<Look>): Promise<boolean> {
  let mark = "";
  let changedAt = Date.now();
  for (;;) {
    const found = await look();
    if (found.isDone) return true;
    if (found.mark !== mark) {
      mark = found.mark;
      changedAt = Date.now();
    } else if (Date.now() - changedAt > stallMs) return false;
    await delay(everyMs);
  }
}
