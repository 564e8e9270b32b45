/** The comparison: what the data file says beside what the actors hold. */
import type { Totals } from "./airport.ts";
import { nothing } from "./data.ts";

/** One airport, twice. */
interface Row {
  readonly airport: string;
  readonly expected: Totals;
  readonly held: Totals;
  readonly agrees: boolean;
}

/** All airports that either side knows, the busiest first. */
export interface Comparison {
  readonly rows: readonly Row[];
  readonly isExact: boolean;
}

/** Compares every airport in every number. */
export function compare(expected: ReadonlyMap<string, Totals>, held: ReadonlyMap<string, Totals>): Comparison {
  const airports = [...new Set([...expected.keys(), ...held.keys()])];
  const rows = airports.map((airport) => {
    const [one, other] = [expected.get(airport) ?? nothing, held.get(airport) ?? nothing];
    const agrees = one.departures === other.departures && one.arrivals === other.arrivals && one.delay === other.delay;
    return { airport, expected: one, held: other, agrees };
  });
  rows.sort((a, b) => flightsOf(b.expected) - flightsOf(a.expected) || (a.airport < b.airport ? -1 : 1));
  return { rows, isExact: rows.length > 0 && rows.every(({ agrees }) => agrees) };
}

const shownRows = 12;

/** Draws a comparison. Airports that differ come first; the word EXACT appears only when there is none. */
export function drawTable({ rows, isExact }: Comparison): string {
  const wrong = rows.filter(({ agrees }) => !agrees);
  const shown = [...wrong, ...rows.filter(({ agrees }) => agrees)].slice(0, shownRows);
  const more = rows.length - shown.length;
  const sum = (side: "expected" | "held"): Totals =>
    rows.reduce(
      (all, row) => ({
        departures: all.departures + row[side].departures,
        arrivals: all.arrivals + row[side].arrivals,
        delay: all.delay + row[side].delay,
      }),
      nothing,
    );
  const all: Row = { airport: "all", expected: sum("expected"), held: sum("held"), agrees: isExact };
  return [
    `          ${"── the data file says ".padEnd(35, "─")}   ${"── the actors hold ".padEnd(35, "─")}`,
    `airport   ${heading}   ${heading}`,
    ...shown.map(drawRow),
    ...(more > 0 ? [`… and ${more} more`] : []),
    drawRow(all),
    "",
    isExact
      ? `EXACT: all ${rows.length} airports agree`
      : `DIFFERENT: ${wrong.length} of ${rows.length} airports do not agree`,
  ]
    .map((line) => `  ${line}`.trimEnd())
    .join("\n");
}

const heading = `${"departures".padStart(11)}${"arrivals".padStart(11)}${"delay (min)".padStart(13)}`;

function drawRow({ airport, expected, held, agrees }: Row): string {
  return `${airport.padEnd(10)}${drawTotals(expected)}   ${drawTotals(held)}   ${agrees ? "=" : "≠"}`;
}

function drawTotals({ departures, arrivals, delay }: Totals): string {
  return grouped(departures).padStart(11) + grouped(arrivals).padStart(11) + grouped(delay).padStart(13);
}

function flightsOf({ departures, arrivals }: Totals): number {
  return departures + arrivals;
}

/** Writes a number with thousands separated. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
