/** The log of a node that runs in the foreground: one line for each event, for people or for collectors. */
import type { NodeEvent } from "../runtime/engine/telemetry.ts";
import { shownJson, shownTime, toPlain } from "./shown-values.ts";
import { paint, printable, type Style, type Terminal } from "./terminal.ts";

/** From which level on events are printed. */
export type LogLevel = NodeEvent["level"];

/** All levels, from the least to the most important. */
export const logLevels = ["debug", "info", "warn", "error"] as const satisfies readonly LogLevel[];

/** How events are printed: `pretty` is for people, `json` one document a line. */
export type LogFormat = "pretty" | "json";

/** All formats. */
export const logFormats = ["pretty", "json"] as const satisfies readonly LogFormat[];

const styles: Readonly<Record<LogLevel, Style>> = { debug: "dim", info: "green", warn: "yellow", error: "red" };
/** Partitions open and leave in bursts: they are told together after so many milliseconds of quiet. */
const gatherMs = 250;
const gathered: Readonly<Record<string, string>> = {
  "partition.opened": "open",
  "partition.handed-over": "handed over",
};

/** Prints the events of a node. */
export class NodeLog {
  readonly #out: Terminal;
  readonly #level: number;
  readonly #format: LogFormat;
  readonly #now: () => number;
  readonly #bursts = new Map<string, number[]>();
  #timer: NodeJS.Timeout | undefined;

  constructor(out: Terminal, level: LogLevel, format: LogFormat, now: () => number = Date.now) {
    this.#out = out;
    this.#level = logLevels.indexOf(level);
    this.#format = format;
    this.#now = now;
  }

  /** Prints an event, if it is important enough. */
  event(event: NodeEvent): void {
    if (logLevels.indexOf(event.level) < this.#level) return;
    // A takeover names whom it was from, and has a line of its own.
    const isPlain = this.#format === "pretty" && Object.hasOwn(gathered, event.name) && !event.data?.from;
    const partition = event.data?.partition;
    if (isPlain && typeof partition === "number") this.#gather(event.name, partition);
    else this.#print(event);
  }

  /** Prints a line that is always wanted. */
  say(name: string, message: string, data?: Readonly<Record<string, unknown>>): void {
    this.#print({ level: "info", name, message, ...(data === undefined ? {} : { data }) });
  }

  /** Prints what was gathered. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [name, partitions] of this.#bursts) {
      const what = gathered[name] as string;
      const sorted = partitions.sort((a, b) => a - b);
      const message =
        sorted.length === 1
          ? `Partition ${sorted[0]} is ${what}.`
          : `${sorted.length} partitions are ${what}: ${ranges(sorted)}.`;
      this.#print({ level: "info", name, message });
    }
    this.#bursts.clear();
  }

  #gather(name: string, partition: number): void {
    const burst = this.#bursts.get(name);
    if (burst === undefined) this.#bursts.set(name, [partition]);
    else burst.push(partition);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), gatherMs);
  }

  #print({ level, name, message, data }: NodeEvent): void {
    const at = shownTime(this.#now());
    if (this.#format === "json") {
      this.#out.write(`${JSON.stringify(toPlain({ at, level, name, message, ...data }))}\n`);
      return;
    }
    const label = paint(this.#out, styles[level], level.padEnd(5));
    const more =
      this.#level === 0 && data !== undefined ? ` ${paint(this.#out, "dim", `${name} ${shownJson(data)}`)}` : "";
    this.#out.write(`${paint(this.#out, "dim", at)} ${label} ${printable(message)}${more}\n`);
  }
}

/** Writes sorted numbers as ranges: `0-3, 7`. */
export function ranges(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < numbers.length; at++) {
    const from = numbers[at] as number;
    let to = from;
    while (numbers[at + 1] === to + 1) to = numbers[++at] as number;
    parts.push(from === to ? String(from) : `${from}-${to}`);
  }
  return parts.join(", ");
}
