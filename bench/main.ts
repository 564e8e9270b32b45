/** `npm run bench -- throughput|hot|ask|memory|decide|timers|redrive|parked|volatile|saga [--json] [--runs N]`: speeds as ratios to the floor measured in the same run. */
import { parseArgs } from "node:util";
import { startEmbeddedServer } from "../index.ts";
import { measureAsk } from "./ask.ts";
import { measureDecide } from "./decide.ts";
import { measureMemory } from "./memory.ts";
import { measureParked } from "./parked.ts";
import { measureRedrive } from "./redrive.ts";
import type { Result } from "./results.ts";
import { measureSaga } from "./saga.ts";
import { measureThroughput } from "./throughput.ts";
import { measureTimers } from "./timers.ts";
import { measureVolatile } from "./volatile.ts";

const help = `npm run bench -- <workload…> [--json] [--runs N]

  throughput   1,000 actors, 300-byte states, one message told for every message
  hot          the same with a single actor
  ask          one ask in flight, beside one bare publish
  memory       bytes per actor that is cached, and per actor that has left memory
  timers       how late 2,000 timers over 10 s are, and how long a node takes to its first timer after a crash with up to
               1,000,000 others stored that are due in a year (needs 2 GB of disk for a while)
  redrive      50,000 dead letters of 1,000 actors: until they are in their mailboxes again, and until they are applied
  parked       900 actors that run beside 100 that are parked, and beside 100 more that run
  volatile     10,000 actors that send nothing, with a stored state and with delivery at-most-once
  saga         sagas of three steps: 10,000 at once on one node, with what it takes in memory, and 100 at once
  decide       transitions per second of one core without a broker, with the state in memory and read from storage

All writes are flushed to disk before they are confirmed. Each figure is the median of the runs (default 5), after one
that does not count; ratioToFloor is the median of the ratios of run and floor side by side.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean" }, runs: { type: "string", default: "5" }, help: { type: "boolean" } },
});
const workloads: Record<string, (url: string, runs: number, note: (line: string) => void) => Promise<Result[]>> = {
  throughput: (url, runs, note) =>
    measureThroughput(url, { workload: "throughput", keys: 1000, messages: 30_000, runs }, note),
  hot: (url, runs, note) => measureThroughput(url, { workload: "hot", keys: 1, messages: 15_000, runs }, note),
  ask: measureAsk,
  memory: measureMemory,
  decide: measureDecide,
  timers: measureTimers,
  redrive: measureRedrive,
  parked: measureParked,
  volatile: measureVolatile,
  saga: measureSaga,
};
const wanted = positionals.length > 0 ? positionals : Object.keys(workloads);
const unknown = wanted.filter((name) => workloads[name] === undefined);
const runs = Number(values.runs);
if (values.help === true) {
  process.stdout.write(help);
} else if (unknown.length > 0 || !Number.isInteger(runs) || runs < 1) {
  process.stderr.write(
    unknown.length > 0
      ? `Unknown workload "${unknown[0]}".\n\n${help}`
      : `--runs is "${values.runs}": use a whole number from 1.\n`,
  );
  process.exitCode = 2;
} else {
  const server = await startEmbeddedServer({});
  try {
    for (const name of wanted) {
      const run = workloads[name] as NonNullable<(typeof workloads)[string]>;
      const results = await run(server.url, runs, (line) => process.stderr.write(`${line}\n`));
      for (const result of results)
        process.stdout.write(values.json === true ? `${JSON.stringify(result)}\n` : `${format(result)}\n`);
    }
  } finally {
    await server.stop();
  }
}

function format(result: Result): string {
  const figures = [
    result.perSecond === undefined
      ? undefined
      : `${result.perSecond} ${result.workload === "saga" ? "sagas" : "messages"}/s`,
    result.p50Ms === undefined ? undefined : `p50 ${result.p50Ms} ms`,
    result.p99Ms === undefined ? undefined : `p99 ${result.p99Ms} ms`,
    result.bytesPerActor === undefined ? undefined : `${result.bytesPerActor} bytes per actor`,
    result.peakRssMb === undefined
      ? undefined
      : `at most ${result.peakRssMb} MB resident, ${result.peakHeapMb} MB of heap`,
    result.ratioToFloor === undefined ? undefined : `${result.ratioToFloor} x floor`,
  ];
  return `${result.workload.padEnd(12)} ${result.subject.padEnd(12)} ${figures.filter((figure) => figure !== undefined).join(", ")}`;
}
