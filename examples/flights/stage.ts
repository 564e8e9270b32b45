/** Everything the story needs: a server, node processes, two clients. */
import { setTimeout as delay } from "node:timers/promises";
import { connect, startEmbeddedServer } from "../../index.ts";
import { defineAirport } from "./airport.ts";
import { Fleet } from "./fleet.ts";
import type { Options } from "./options.ts";
import type { Progress } from "./progress.ts";
import type { Senders } from "./send-flights.ts";

const partitions = 16;
const patienceMs = 60_000;

/** Takes what ends something that was started. */
export type OnEnd = (cleanUp: () => Promise<unknown>) => void;

/** What was set up. */
export interface Stage {
  readonly fleet: Fleet;
  /** The definition that the runner sends with. */
  readonly airport: ReturnType<typeof defineAirport>;
  readonly senders: Senders;
  /** Says how to look around and how to end everything; from now on nothing is ended with this process. */
  leaveRunning(): string[];
}

/** Starts the server (unless one is given) and the nodes, and connects. */
export async function setStage(options: Options, progress: Progress, onEnd: OnEnd): Promise<Stage> {
  let isLeft = false;
  let isReady = false;
  const server =
    options.nats === undefined
      ? await startEmbeddedServer({
          detached: options.keep,
          log: (line) => isReady || progress.say(`  server      ${line}`),
        })
      : undefined;
  isReady = true;
  if (server !== undefined) onEnd(async () => (isLeft ? undefined : server.stop()));
  const url = server?.url ?? (options.nats as string);
  // On a server of others, the space of every run has a name of its own.
  const space = server === undefined ? `flights-${Date.now().toString(36)}` : "default";
  if (server === undefined) progress.say(`  server      ${url}, space ${space}, which stays there`);

  const connection = { servers: url, space, partitions, assumeSyncAlways: server !== undefined };
  const warn = (line: string) => progress.say(`  warning     ${line}`);
  const airport = defineAirport("before");
  const senders: Senders = {
    timetable: await connect({ ...connection, sender: "timetable", actors: [airport], warn }),
    legacy: await connect({ ...connection, sender: "legacy", warn: () => {} }),
  };
  onEnd(() => senders.timetable.close());
  onEnd(() => senders.legacy.close());

  const fleet = new Fleet(url, space, (line) => progress.say(`  node error  ${line}`));
  onEnd(() => (isLeft ? fleet.letStay() : fleet.end()));
  const names = Array.from({ length: options.nodes }, (_, i) => `node-${i + 1}`);
  await Promise.all(names.map((name) => fleet.start(name, "before")));
  await allOwned(fleet);
  progress.say(`  nodes       processes ${fleet.pids.join(", ")}, with ${partitions} partitions between them`);

  return {
    fleet,
    airport,
    senders,
    leaveRunning() {
      isLeft = true;
      const where = `--nats ${url}${space === "default" ? "" : ` --space ${space}`}`;
      const pids = [...fleet.pids, ...(server === undefined ? [] : [server.pid])];
      return [
        "Everything is left running. Look around with",
        "  npm run build   # once, for the command line",
        `  npx statewright show airport/ATL ${where}`,
        `  npx statewright history airport/ATL ${where}`,
        `  npx statewright dlq ls ${where}`,
        `and end it with`,
        `  kill ${pids.join(" ")}${server === undefined ? "" : `   # the data is in ${server.storeDir}`}`,
      ];
    },
  };
}

/** Resolves when every partition has an owner. */
export async function allOwned(fleet: Fleet): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (fleet.owned < partitions) {
    if (Date.now() > deadline) throw new Error(`only ${fleet.owned} of ${partitions} partitions have found an owner`);
    await Promise.race([delay(20), fleet.failed]);
  }
}
