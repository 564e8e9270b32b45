/**
 * Messages that a node sends outside of a commit: what live children and custom actions say.
 *
 * 1. They are stored in the order of the calls, several in one append while another is under way.
 * 2. Each has a subject of its own: an append whose outcome is unknown is made again unchanged, and a refusal then proves that it was stored.
 * 3. Nothing is kept for a crash: what was not confirmed is lost with the process.
 */
import { sleep } from "../core/time.ts";
import type { AppendRecord } from "../log/log.ts";
import { backoffMs, type NodeContext } from "./context.ts";

/** Sends records one append after the other. */
export class Post {
  readonly #context: NodeContext;
  #waiting: AppendRecord[] = [];
  #isRunning = false;
  #isStopped = false;
  #counter = 0;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /** A name for a message, different for every message of every node. */
  nextId(): string {
    const { owner } = this.#context;
    return `${owner.slice(owner.lastIndexOf(":") + 1)}-p${(this.#counter++).toString(36)}`;
  }

  /** Sends a record. */
  send(record: AppendRecord): void {
    if (this.#isStopped) return;
    this.#waiting.push({ ...record, expectLastSeq: 0 });
    if (!this.#isRunning) void this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    this.#waiting = [];
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    const { log, settings, telemetry, time, random } = this.#context;
    try {
      while (this.#waiting.length > 0 && !this.#isStopped) {
        const records: AppendRecord[] = [];
        let bytes = 0;
        while (this.#waiting[0] !== undefined && records.length < settings.maxRecordsPerCommit) {
          const record = this.#waiting[0];
          if (records.length > 0 && bytes + record.data.length > settings.maxBytesPerCommit) break;
          this.#waiting.shift();
          bytes += record.data.length;
          records.push(record);
        }
        for (let attempt = 1; records.length > 0 && !this.#isStopped; attempt++) {
          const result = await log.append("core", records);
          // A conflict: it was stored by an earlier attempt.
          if (result._tag === "Appended" || result._tag === "Conflict") break;
          await sleep(time, result._tag === "Full" ? 1000 : backoffMs(attempt, random));
        }
      }
    } catch (error) {
      if (!this.#isStopped) {
        telemetry.tell(
          "error",
          "post.failed",
          `A message of a live child or a custom action could not be sent and is lost: ${error instanceof Error ? error.message : String(error)}`,
          { error },
        );
      }
    } finally {
      this.#isRunning = false;
    }
    if (this.#waiting.length > 0 && !this.#isStopped) void this.#run();
  }
}
