/**
 * Loads the states of actors that have something to do, many at once.
 *
 * An actor whose stored state cannot be used is parked: nothing of it is changed, its messages wait, and it is tried again now and then.
 */
import { formatAddress } from "../core/address.ts";
import { isStatewrightError } from "../core/errors.ts";
import { decodeRecord, type StateRecord } from "../core/records.ts";
import { sleep } from "../core/time.ts";
import type { LogRecord } from "../log/log.ts";
import { backoffMs, type NodeContext } from "./context.ts";
import type { Lane } from "./lane.ts";

const parkedRetryMs = 30_000;
const loadChunk = 128;
const maxLoads = 4;

/** What the loader tells of its lanes. */
export interface LoadListener {
  onLoaded(lane: Lane): void;
  onParked(lane: Lane): void;
  /** A parked lane is to be loaded again. */
  onUnparked(lane: Lane): void;
  /** A batch of loads has ended, or failed for now. */
  onDone(): void;
}

/** Loads lanes. */
export class Loader {
  readonly #context: NodeContext;
  readonly #listener: LoadListener;
  #wanted: Lane[] = [];
  #loads = 0;
  #isStopped = false;

  constructor(context: NodeContext, listener: LoadListener) {
    this.#context = context;
    this.#listener = listener;
  }

  /** Marks a cold lane to be loaded by the next {@link Loader.run}. */
  want(lane: Lane): void {
    lane.phase = "loading";
    this.#wanted.push(lane);
  }

  /** Starts to load what is wanted, as far as there is room. */
  run(): void {
    while (this.#wanted.length > 0 && this.#loads < maxLoads) {
      const lanes = this.#wanted.splice(0, loadChunk).filter((lane) => lane.phase === "loading");
      if (lanes.length > 0) void this.#load(lanes);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #load(lanes: readonly Lane[]): Promise<void> {
    const { log, time, random, telemetry } = this.#context;
    this.#loads++;
    for (let attempt = 1; !this.#isStopped; attempt++) {
      try {
        const records = await log.lastMany(
          "core",
          lanes.map((lane) => lane.subject),
        );
        if (this.#isStopped) return;
        for (const [i, lane] of lanes.entries()) this.#loaded(lane, records[i]);
        break;
      } catch (error) {
        if (isStatewrightError(error) && error._tag === "SystemStoppedError") return;
        if (attempt === 1) {
          telemetry.tell(
            "warn",
            "load.failed",
            `Cannot load ${lanes.length} actors: ${messageOf(error)} Trying again.`,
          );
        }
        await sleep(time, backoffMs(attempt, random));
      }
    }
    this.#loads--;
    this.#listener.onDone();
  }

  #loaded(lane: Lane, record: LogRecord | undefined): void {
    if (lane.phase !== "loading") return;
    this.#context.telemetry.counters.loads++;
    try {
      const what = `the state of ${formatAddress(lane.address)}`;
      const state = record === undefined ? undefined : decodeRecord<StateRecord>(what, record.data);
      lane.load(record?.seq ?? 0, state, this.#context.time.now());
    } catch (error) {
      this.#park(lane, error);
      return;
    }
    this.#context.fault("loaded");
    this.#listener.onLoaded(lane);
  }

  #park(lane: Lane, error: unknown): void {
    const { telemetry, time } = this.#context;
    telemetry.counters.parked++;
    telemetry.tell(
      "error",
      "actor.parked",
      `${formatAddress(lane.address)} is put aside and its messages wait: ${messageOf(error)} It is tried again every ${parkedRetryMs / 1000} s and when a node starts.`,
      { actor: formatAddress(lane.address), error },
    );
    lane.phase = "parked";
    lane.cancelTimer = time.after(parkedRetryMs, () => {
      lane.cancelTimer = undefined;
      if (lane.phase !== "parked") return;
      lane.phase = "cold";
      this.#listener.onUnparked(lane);
    });
    this.#listener.onParked(lane);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
