/** Whether parked actors slow the others: 900 running actors beside 100 that are parked, and the same messages with all 1,000 running. */
import { openJetStreamLog } from "../runtime/jetstream/jetstream-log.ts";
import { median, type Result } from "./results.ts";
import { load, runWorker } from "./throughput.ts";

const workload = "parked";
const keys = 1000;
const parked = 100;
const messages = 30_000;

/** Runs both in turn, each on a fresh space with all messages waiting; `running` is the floor: the time until the 900 have taken theirs. */
export async function measureParked(url: string, runs: number, note: (line: string) => void): Promise<Result[]> {
  const rates: Record<"running" | "parked", number[]> = { running: [], parked: [] };
  const ratios: number[] = [];
  const ofOthers = (messages / keys) * (keys - parked);
  // The first round warms up server and disk and does not count.
  for (let run = 0; run <= runs; run++) {
    const rate = { running: 0, parked: 0 };
    for (const mode of run % 2 === 0 ? (["running", "parked"] as const) : (["parked", "running"] as const)) {
      const space = `bench-${workload}-${run}-${mode}`;
      const limits = { maxCoreBytes: 2 ** 30, maxIngressBytes: 2 ** 28 };
      const opened = await openJetStreamLog({ servers: url, space, assumeSyncAlways: true, ...limits });
      // What is poison for a counter parks it.
      await load(opened, space, parked, parked, mode === "parked" ? poison : 1);
      await load(opened, space, keys, messages);
      // Each message is told to a sink; those of parked actors are not.
      const applied = mode === "parked" ? ofOthers * 2 : (messages + parked) * 2;
      const { tookMs, counters } = await runWorker("parking", url, space, applied);
      const lined = (messages / keys) * parked;
      if (mode === "parked" && (counters?.deadLetters !== parked || (counters.waiting as number) > lined))
        throw new Error(
          `${counters?.deadLetters} actors were parked, and ${counters?.waiting} messages stand in line.`,
        );
      rate[mode] = ofOthers / (tookMs / 1000);
      await opened.close();
    }
    note(
      `${workload} ${run === 0 ? "warm-up" : `run ${run}`}: 900 beside 100 parked ${rate.parked.toFixed(0)}/s, beside 100 running ${rate.running.toFixed(0)}/s`,
    );
    if (run === 0) continue;
    rates.parked.push(rate.parked);
    rates.running.push(rate.running);
    ratios.push(rate.parked / rate.running);
  }
  return [
    { workload, subject: "all running", perSecond: Math.round(median(rates.running)) },
    {
      workload,
      subject: "100 parked",
      perSecond: Math.round(median(rates.parked)),
      ratioToFloor: Number(median(ratios).toFixed(2)),
    },
  ];
}

const poison = 1e12;
