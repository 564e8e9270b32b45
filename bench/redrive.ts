/** Letters redriven per second, and applied per second, beside plain appends of the same records. */
import { type ChildProcess, fork } from "node:child_process";
import { connect } from "../index.ts";
import { partitionOf } from "../runtime/core/address.ts";
import { type Envelope, encodeEnvelope } from "../runtime/core/envelope.ts";
import { decodeRecord, type LetterRecord } from "../runtime/core/records.ts";
import { redrivenMessage } from "../runtime/core/redriven-message.ts";
import { Subjects } from "../runtime/core/subjects.ts";
import { type JetStreamLog, openJetStreamLog } from "../runtime/jetstream/jetstream-log.ts";
import type { AppendRecord } from "../runtime/log/log.ts";
import { median, type Result } from "./results.ts";

const letters = 50_000;
const actors = 1000;
const recordsPerAppend = 1000;

/** Each run: a node whose machine throws makes the letters, another one whose machine does not applies them again. */
export async function measureRedrive(url: string, runs: number, note: (line: string) => void): Promise<Result[]> {
  const redriven: number[] = [];
  const applied: number[] = [];
  const floors: number[] = [];
  const ratios: number[] = [];
  const appliedRatios: number[] = [];
  for (let run = 0; run <= runs; run++) {
    const space = `bench-redrive-${run}`;
    const opened = await openJetStreamLog({
      servers: url,
      space,
      assumeSyncAlways: true,
      maxCoreBytes: 2 ** 31,
      maxIngressBytes: 2 ** 28,
    });
    await load(opened, space);
    await runNode("redrive-broken", url, space).next();
    const node = runNode("redrive", url, space);
    await node.next();
    const client = await connect({ servers: url, space, assumeSyncAlways: true });
    const startedMs = performance.now();
    const end = await client.deadLetters.redriveAll("type:fragile");
    const redrivenMs = performance.now() - startedMs;
    if (end.redriven !== letters) throw new Error(`${end.redriven} of ${letters} letters were redriven.`);
    await node.next();
    const appliedMs = performance.now() - startedMs;
    await client.close();
    const floorMs = await floor(opened, space);
    const subjects = new Subjects(space);
    await opened.log.purge("core", subjects.all("core"));
    await opened.log.purge("ingress", subjects.all("ingress"));
    await opened.close();
    const perSecond = (ms: number): number => (letters * 1000) / ms;
    note(
      `redrive ${run === 0 ? "warm-up" : `run ${run}`}: redriven ${perSecond(redrivenMs).toFixed(0)}/s, applied ${perSecond(appliedMs).toFixed(0)}/s, floor ${perSecond(floorMs).toFixed(0)}/s`,
    );
    if (run === 0) continue;
    redriven.push(perSecond(redrivenMs));
    applied.push(perSecond(appliedMs));
    floors.push(perSecond(floorMs));
    ratios.push(floorMs / redrivenMs);
    appliedRatios.push(floorMs / appliedMs);
  }
  const result = (subject: string, rates: readonly number[], of?: readonly number[]): Result => ({
    workload: "redrive",
    subject,
    perSecond: Math.round(median(rates)),
    ...(of === undefined ? {} : { ratioToFloor: Number(median(of).toFixed(2)) }),
  });
  return [result("floor", floors), result("redriven", redriven, ratios), result("applied", applied, appliedRatios)];
}

/** Messages that the machine throws at, in INGRESS. */
async function load(opened: JetStreamLog, space: string): Promise<void> {
  const subjects = new Subjects(space);
  const { partitions } = opened.space;
  const sentAt = Date.now();
  for (let from = 0; from < letters; from += 500) {
    const records = Array.from({ length: Math.min(500, letters - from) }, (_, i) => {
      const n = from + i;
      const to = { type: "fragile", id: `f${n % actors}` };
      return {
        subject: subjects.ingress("bench", partitionOf(to, partitions), to, `m${n}`),
        data: encodeEnvelope({ format: 1, kind: "event", id: `m${n}`, event: { type: "ADD", amount: 1 }, sentAt }),
      };
    });
    const result = await opened.log.append("ingress", records);
    if (result._tag !== "Appended") throw new Error(`Loading messages ended with ${result._tag}.`);
  }
}

/** The records that redriving has written, appended once more one batch after the other: no reading, no fences, no node beside it. */
async function floor({ log }: JetStreamLog, space: string): Promise<number> {
  const subjects = new Subjects(space);
  const dead: AppendRecord[] = [];
  const mail: AppendRecord[] = [];
  const subject = (n: number): string => `${subjects.root}.core.0.topic.floor.${n}`;
  for await (const { data } of log.scan("core", subjects.deadLetters(), { lastPerSubject: true })) {
    const record = decodeRecord<LetterRecord>("a dead letter", data);
    // The node has begun to remove the messages themselves from the mailboxes.
    const message = redrivenMessage(subjects, record, record.envelope as Envelope);
    dead.push({ subject: subject(dead.length), data });
    mail.push({ subject: subject(letters + mail.length), data: encodeEnvelope(message as Envelope) });
  }
  if (dead.length !== letters) throw new Error(`Found ${dead.length} letters: ${letters} were written.`);
  const startedMs = performance.now();
  for (let from = 0; from < letters; from += recordsPerAppend / 2) {
    const to = from + recordsPerAppend / 2;
    const result = await log.append("core", [...dead.slice(from, to), ...mail.slice(from, to)]);
    if (result._tag !== "Appended") throw new Error(`The floor's batch ended with ${result._tag}.`);
  }
  return performance.now() - startedMs;
}

/** A node process that reports when it is ready, and when it has done what it is there for. */
function runNode(mode: string, url: string, space: string): { readonly next: () => Promise<unknown> } {
  const child: ChildProcess = fork(new URL("./worker.ts", import.meta.url), [mode, url, space, String(letters)], {
    execArgv: ["--import", "tsx"],
  });
  const told: unknown[] = [];
  let onTold: (() => void) | undefined;
  let ended: number | null | undefined;
  child.on("message", (message) => {
    told.push(message);
    onTold?.();
  });
  child.on("exit", (code) => {
    ended = code;
    onTold?.();
  });
  return {
    next: async () => {
      while (told.length === 0) {
        if (ended !== undefined) throw new Error(`The ${mode} process ended with code ${ended} and no report.`);
        await new Promise<void>((resolve) => {
          onTold = resolve;
        });
      }
      return told.shift();
    },
  };
}
