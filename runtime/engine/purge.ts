/**
 * Removes what is handled from the mailboxes of all partitions.
 *
 * 1. Nothing is removed before every partition's checkpoint in the log has passed it (I1).
 * 2. INGRESS keeps handled messages for a grace: within it a client may try again what it does not know to be stored.
 * 3. The server lets no append in while it purges, and a purge by filter costs it some microseconds for each record: one purge for
 *    all partitions is much cheaper than one for each, and many short ones are better than a long one.
 *
 * Any node may do it; the owner of partition 0 does.
 */
import { type CheckpointRecord, decodeRecord } from "../core/records.ts";
import type { NodeContext } from "./context.ts";

const stepSize = 8192;

/** Purges both mailboxes up to the lowest checkpoint. */
export class Purge {
  readonly #context: NodeContext;
  readonly #purged = { ingress: 0, core: 0 };
  readonly #graces: Array<{ readonly atMs: number; readonly ingress: number }> = [];

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /** Reads all checkpoints and removes what lies below the lowest. */
  async run(): Promise<void> {
    const { log, subjects, partitions, settings, time } = this.#context;
    const records = await log.lastMany(
      "core",
      Array.from({ length: partitions }, (_, partition) => subjects.checkpoint(partition)),
    );
    const cursors = records.map((record) =>
      record === undefined
        ? { ingress: 0, core: 0 }
        : decodeRecord<CheckpointRecord>("a checkpoint", record.data).cursor,
    );
    const nowMs = time.elapsed();
    this.#graces.push({ atMs: nowMs, ingress: Math.min(...cursors.map((cursor) => cursor.ingress)) });
    let ingress = 0;
    while (this.#graces[0] !== undefined && nowMs - this.#graces[0].atMs >= settings.ingressGraceMs) {
      ingress = (this.#graces.shift() as { readonly ingress: number }).ingress;
    }
    if (ingress > this.#purged.ingress) {
      // Everything in INGRESS is a message: whole blocks go at once.
      await log.purge("ingress", subjects.all("ingress"), ingress + 1);
      this.#purged.ingress = ingress;
    }
    const core = Math.min(...cursors.map((cursor) => cursor.core));
    while (this.#purged.core < core) {
      // The first step starts wherever earlier owners left off, and finds nothing below.
      const upTo = this.#purged.core === 0 ? Math.max(core - (core % stepSize), 1) : this.#purged.core + stepSize;
      this.#purged.core = Math.min(core, upTo);
      await log.purge("core", subjects.mails(), this.#purged.core + 1);
    }
  }
}
