/** The flights of the data file, and what they say that each airport should hold. */
import { readFile } from "node:fs/promises";
import type { Totals } from "./airport.ts";

/** One flight. */
export interface Flight {
  /** Its place in the file: decides what happens to its message. */
  readonly index: number;
  readonly id: string;
  readonly origin: string;
  readonly destination: string;
  /** Minutes; below zero when it was early. */
  readonly delay: number;
}

/** How many flights there are files for. */
export const sizes = [2_000, 10_000, 20_000] as const;
export type Size = (typeof sizes)[number];

/** Reads real flights of 2001 from the npm package `vega-datasets`. */
export async function readFlights(size: Size): Promise<Flight[]> {
  const path = new URL(`../data/flights-${size / 1000}k.json`, import.meta.resolve("vega-datasets"));
  const rows = JSON.parse(await readFile(path, "utf8")) as Array<Omit<Flight, "index" | "id">>;
  return rows.map(({ origin, destination, delay }, index) => ({
    index,
    id: `F${String(index).padStart(5, "0")}`,
    origin,
    destination,
    delay,
  }));
}

/** Names all airports, sorted. */
export function airportsOf(flights: readonly Flight[]): string[] {
  return [...new Set(flights.flatMap(({ origin, destination }) => [origin, destination]))].sort();
}

/** Adds up what each airport should hold, from the flights alone. */
export function totalsOf(flights: readonly Flight[]): Map<string, Totals> {
  const totals = new Map<string, Totals>();
  const add = (airport: string, more: Totals) => {
    const { departures, arrivals, delay } = totals.get(airport) ?? nothing;
    totals.set(airport, {
      departures: departures + more.departures,
      arrivals: arrivals + more.arrivals,
      delay: delay + more.delay,
    });
  };
  for (const { origin, destination, delay } of flights) {
    add(origin, { departures: 1, arrivals: 0, delay });
    add(destination, { departures: 0, arrivals: 1, delay });
  }
  return totals;
}

/** What an airport holds that no flight has touched. */
export const nothing: Totals = { departures: 0, arrivals: 0, delay: 0 };
