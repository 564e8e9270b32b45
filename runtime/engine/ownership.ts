/**
 * Which node reads which partition: leases in CORE, balanced over the nodes that show signs of life.
 *
 * 1. A lease is taken by compare-and-set on its subject; who is alive is judged by each observer's own monotonic clock, from the heartbeats it sees.
 * 2. Ownership is for order and speed only: a node that wrongly believes to own a partition is stopped by the fences of the actors.
 * 3. A node whose last confirmed heartbeat is older than the lease time commits nothing until it has read the leases again.
 */
import { decodeRecord, encodeRecord, type LeaseRecord, type NodeRecord, recordFormat } from "../core/records.ts";
import type { LogReader, LogRecord } from "../log/log.ts";
import { backoffMs, type NodeContext } from "./context.ts";

/** What ownership asks the node to do. */
export interface OwnershipListener {
  /** The partition is ours: start to read it. `from` is the owner that did not give it back, and empty when the last one did. */
  onGained(partition: number, from: string): void;
  /** The partition has a new owner: let go of it at once. */
  onLost(partition: number): void;
  /** The partition should go to another node: drain it; resolve when nothing of it is under way. */
  onHandOver(partition: number): Promise<void>;
  onFailed(error: Error): void;
}

interface Member {
  readonly node: string;
  owner: string;
  status: NodeRecord["status"];
  leaseMs: number;
  /** When this node saw the sign, by its own monotonic clock. */
  seenMs: number;
  /** When the log stored the sign, by the log's clock. */
  storedMs: number;
}

interface Lease {
  readonly owner: string;
  readonly epoch: number;
  readonly seq: number;
  /** Whose the partition was before; empty: nobody's, or it was given back. */
  readonly from: string;
}

/** Keeps this node's heartbeat and its share of the partitions. */
export class Ownership {
  readonly #context: NodeContext;
  readonly #listener: OwnershipListener;
  readonly #members = new Map<string, Member>();
  readonly #leases = new Map<number, Lease>();
  readonly #owned = new Set<number>();
  readonly #busy = new Set<number>();
  #reader: LogReader | undefined;
  #isCaughtUp = false;
  #isStopped = false;
  #isLeaving = false;
  #lastBeatMs = Number.NEGATIVE_INFINITY;
  #beat = 0;
  #revalidation: Promise<void> | undefined;
  #cancels = new Set<() => void>();
  #isBalanceDue = false;

  constructor(context: NodeContext, listener: OwnershipListener) {
    this.#context = context;
    this.#listener = listener;
  }

  get owned(): ReadonlySet<number> {
    return this.#owned;
  }

  /** Nodes that show signs of life, by name. */
  get alive(): string[] {
    return [...this.#members.values()]
      .filter((member) => this.#isAlive(member))
      .map((member) => member.node)
      .sort();
  }

  /** Shows the first sign of life and begins to take partitions. */
  async start(): Promise<void> {
    const { log, subjects } = this.#context;
    await this.#showLife("up");
    this.#reader = log.read("core", {
      filters: [subjects.nodes(), subjects.leases()],
      from: "last-per-subject",
      onRecord: (record) => this.#onRecord(record),
      onCaughtUp: () => {
        this.#isCaughtUp = true;
        // Signs of life from before the start are as old as the log's own clock says.
        const newestMs = Math.max(...[...this.#members.values()].map((member) => member.storedMs));
        for (const member of this.#members.values()) member.seenMs -= newestMs - member.storedMs;
        this.#balanceSoon();
      },
      onError: (error) => this.#listener.onFailed(error),
    });
    await this.#reader.ready;
    this.#heartbeat();
    this.#tick();
  }

  /**
   * Undefined when this node may commit now; otherwise a promise that resolves when it may: its heartbeat is confirmed again
   * and the leases have been read, those of other nodes given up.
   */
  mayCommit(): Promise<void> | undefined {
    if (this.#context.time.elapsed() - this.#lastBeatMs < this.#context.settings.leaseMs) return undefined;
    return this.revalidate();
  }

  /** Reads all leases from the log and gives up the partitions that belong to others. */
  revalidate(): Promise<void> {
    this.#revalidation ??= this.#revalidate().finally(() => {
      this.#revalidation = undefined;
    });
    return this.#revalidation;
  }

  /** Names of nodes that have been gone for longer than `idleMs`. */
  gone(idleMs: number): string[] {
    const now = this.#context.time.elapsed();
    return [...this.#members.values()]
      .filter((member) => now - member.seenMs > idleMs && member.node !== this.#context.node)
      .map((member) => member.node);
  }

  /** True when an owner is known not to have crashed: it shows signs of life, or has said goodbye. */
  isWell(owner: string): boolean {
    for (const member of this.#members.values()) {
      if (member.owner === owner) return member.status === "gone" || this.#isAlive(member);
    }
    return false;
  }

  /** Forgets a node whose record was removed. */
  forget(node: string): void {
    this.#members.delete(node);
  }

  /** Hands over all partitions and says goodbye. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    await this.#showLife("leaving").catch(() => {});
    await Promise.all([...this.#owned].map((partition) => this.#handOver(partition)));
    await this.#showLife("gone").catch(() => {});
    this.stop();
  }

  /** Stops without a word. */
  stop(): void {
    this.#isStopped = true;
    this.#reader?.stop();
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }

  #later(delayMs: number, run: () => void): void {
    const cancel = this.#context.time.after(delayMs, () => {
      this.#cancels.delete(cancel);
      if (!this.#isStopped) run();
    });
    this.#cancels.add(cancel);
  }

  #heartbeat(): void {
    this.#later(this.#context.settings.heartbeatMs, () => {
      const startedMs = this.#context.time.elapsed();
      const next = (): void => {
        if (!this.#isStopped && !this.#isLeaving) this.#heartbeat();
      };
      if (this.#isLeaving) return;
      // A node that slept too long looks at the leases before it speaks of itself as alive.
      if (startedMs - this.#lastBeatMs >= this.#context.settings.leaseMs) this.revalidate().then(next, next);
      else this.#showLife("up").then(next, next);
    });
  }

  async #showLife(status: NodeRecord["status"]): Promise<void> {
    const { log, subjects, node, settings, definitions, time, owner } = this.#context;
    const startedMs = time.elapsed();
    const record: NodeRecord = {
      format: recordFormat,
      node,
      owner,
      beat: this.#beat++,
      status,
      everyMs: settings.heartbeatMs,
      leaseMs: settings.leaseMs,
      types: [...definitions.keys()],
    };
    const result = await log.append("core", [{ subject: subjects.node(node), data: encodeRecord(record) }]);
    if (result._tag === "Appended") this.#lastBeatMs = Math.max(this.#lastBeatMs, startedMs);
    else if (result._tag === "Full")
      this.#context.telemetry.tell(
        "error",
        "storage.full",
        `Cannot show a sign of life: the storage is full (${result.reason}).`,
      );
  }

  async #revalidate(): Promise<void> {
    const { log, subjects, partitions, telemetry, time, settings, node } = this.#context;
    const wasSilent = time.elapsed() - this.#lastBeatMs >= settings.leaseMs;
    if (wasSilent) {
      telemetry.tell(
        "warn",
        "node.revalidate",
        `Node ${node} has not been heard for too long: it looks at the leases before it goes on.`,
      );
    }
    for (let attempt = 1; !this.#isStopped; attempt++) {
      try {
        const records = await log.lastMany(
          "core",
          Array.from({ length: partitions }, (_, partition) => subjects.lease(partition)),
        );
        for (const record of records) if (record !== undefined) this.#onRecord(record);
        const before = this.#lastBeatMs;
        await this.#showLife(this.#isLeaving ? "leaving" : "up");
        if (this.#lastBeatMs > before) {
          // Who was not heard may not have heard the others either: they get the time to be heard again.
          if (wasSilent)
            for (const member of this.#members.values()) member.seenMs = Math.max(member.seenMs, time.elapsed());
          return;
        }
      } catch {
        // Tried again below.
      }
      await new Promise<void>((resolve) => this.#later(backoffMs(attempt, this.#context.random), resolve));
    }
  }

  #tick(): void {
    this.#later(Math.max(20, Math.min(250, this.#context.settings.leaseMs / 8)), () => {
      this.#balance();
      this.#tick();
    });
  }

  #onRecord(record: LogRecord): void {
    if (this.#isStopped) return;
    const partition = this.#context.subjects.partitionIn(record.subject);
    try {
      if (partition !== undefined) this.#onLease(partition, record);
      else this.#onNode(record);
    } catch (error) {
      this.#context.telemetry.tell(
        "error",
        "record.unreadable",
        `Cannot read ${record.subject}: ${error instanceof Error ? error.message : String(error)}.`,
      );
    }
  }

  #onNode(record: LogRecord): void {
    const life = decodeRecord<NodeRecord>("a node record", record.data);
    this.#members.set(life.node, {
      node: life.node,
      owner: life.owner,
      status: life.status,
      leaseMs: life.leaseMs,
      seenMs: this.#context.time.elapsed(),
      storedMs: record.timeMs,
    });
    if (life.node === this.#context.node && life.owner !== this.#context.owner && this.#isCaughtUp) {
      this.#context.telemetry.tell(
        "error",
        "node.name-taken",
        `Another process runs as node "${life.node}" too: they will take partitions from each other. Give every node a name of its own.`,
      );
    }
    if (life.status !== "up" || life.beat === 0) this.#balanceSoon();
  }

  #onLease(partition: number, record: LogRecord): void {
    const known = this.#leases.get(partition);
    if (known !== undefined && known.seq >= record.seq) return;
    const lease = decodeRecord<LeaseRecord>("a lease", record.data);
    const from = known === undefined || known.owner === lease.owner ? (known?.from ?? "") : known.owner;
    this.#leases.set(partition, { owner: lease.owner, epoch: lease.epoch, seq: record.seq, from });
    const isOurs = lease.owner === this.#context.owner;
    if (!isOurs && this.#owned.delete(partition)) {
      this.#context.telemetry.counters.leasesLost++;
      this.#context.telemetry.tell(
        "warn",
        "partition.lost",
        `Partition ${partition} now belongs to ${lease.owner || "nobody"}.`,
        { partition },
      );
      this.#listener.onLost(partition);
    } else if (isOurs && !this.#owned.has(partition) && !this.#busy.has(partition)) this.#gain(partition, from);
    if (this.#isCaughtUp) this.#balanceSoon();
  }

  #gain(partition: number, from: string): void {
    if (this.#isStopped || this.#owned.has(partition)) return;
    this.#owned.add(partition);
    this.#context.telemetry.counters.leasesGained++;
    this.#context.fault("lease.taken");
    this.#listener.onGained(partition, from);
  }

  #balanceSoon(): void {
    if (this.#isBalanceDue) return;
    this.#isBalanceDue = true;
    this.#later(1, () => {
      this.#isBalanceDue = false;
      this.#balance();
    });
  }

  #balance(): void {
    if (!this.#isCaughtUp || this.#isStopped || this.#isLeaving || this.#revalidation !== undefined) return;
    const { node, owner, partitions } = this.#context;
    const shares = shareOut(partitions, this.alive);
    for (let partition = 0; partition < partitions; partition++) {
      if (this.#busy.has(partition)) continue;
      const lease = this.#leases.get(partition);
      if (shares[partition] === node) {
        if (lease?.owner === owner) {
          if (!this.#owned.has(partition)) this.#gain(partition, lease.from);
        } else if (lease === undefined || !this.#isHeld(lease)) void this.#take(partition, lease);
      } else if ((this.#owned.has(partition) || lease?.owner === owner) && shares[partition] !== undefined) {
        // Also a lease that is ours and not used: its release was lost, or it was taken by an append that came late.
        void this.#handOver(partition);
      }
    }
  }

  /** True while the owner named in a lease shows signs of life. */
  #isHeld(lease: Lease): boolean {
    if (lease.owner === "") return false;
    for (const member of this.#members.values()) {
      if (member.owner === lease.owner)
        return member.status !== "gone" && this.#context.time.elapsed() - member.seenMs < member.leaseMs;
    }
    return false;
  }

  #isAlive(member: Member): boolean {
    return member.status === "up" && this.#context.time.elapsed() - member.seenMs < member.leaseMs;
  }

  async #take(partition: number, lease: Lease | undefined): Promise<void> {
    this.#busy.add(partition);
    const { log, subjects, owner, telemetry } = this.#context;
    try {
      const record: LeaseRecord = { format: recordFormat, owner, epoch: (lease?.epoch ?? 0) + 1 };
      const result = await log.append("core", [
        { subject: subjects.lease(partition), data: encodeRecord(record), expectLastSeq: lease?.seq ?? 0 },
      ]);
      if (this.#isStopped) return;
      if (result._tag === "Appended") {
        const known = this.#leases.get(partition);
        if (known === undefined || known.seq < result.firstSeq) {
          const from = lease?.owner ?? "";
          this.#leases.set(partition, { owner, epoch: record.epoch, seq: result.firstSeq, from });
        }
        if (this.#leases.get(partition)?.owner !== owner) return;
        if (lease !== undefined && lease.owner !== "") telemetry.counters.takeovers++;
        this.#gain(partition, lease?.owner ?? "");
      }
    } catch (error) {
      if (!this.#isStopped)
        telemetry.tell(
          "warn",
          "lease.failed",
          `Cannot take partition ${partition}: ${error instanceof Error ? error.message : String(error)}.`,
        );
    } finally {
      this.#busy.delete(partition);
    }
    // Any other result: what became of it is seen in the log, or the next tick tries again.
  }

  async #handOver(partition: number): Promise<void> {
    if (this.#busy.has(partition) && !this.#isLeaving) return;
    this.#busy.add(partition);
    const { log, subjects, fault } = this.#context;
    try {
      await this.#listener.onHandOver(partition);
      fault("drained");
      if (this.#owned.delete(partition)) this.#context.telemetry.counters.leasesHandedOver++;
      for (let attempt = 1; attempt <= 5 && !this.#isStopped; attempt++) {
        const lease = this.#leases.get(partition);
        if (lease?.owner !== this.#context.owner) return;
        const record: LeaseRecord = { format: recordFormat, owner: "", epoch: lease.epoch };
        const result = await log.append("core", [
          { subject: subjects.lease(partition), data: encodeRecord(record), expectLastSeq: lease.seq },
        ]);
        if (result._tag === "Appended") {
          // The next owner's lease may have been seen before the answer came.
          const known = this.#leases.get(partition);
          if (known === undefined || known.seq < result.firstSeq)
            this.#leases.set(partition, { owner: "", epoch: lease.epoch, seq: result.firstSeq, from: "" });
          return;
        }
        if (result._tag === "Conflict") return;
        await new Promise<void>((resolve) => this.#later(backoffMs(attempt, this.#context.random), resolve));
      }
    } catch (error) {
      if (!this.#isStopped) {
        this.#context.telemetry.tell(
          "warn",
          "lease.failed",
          `Cannot hand over partition ${partition}: ${error instanceof Error ? error.message : String(error)}.`,
        );
      }
    } finally {
      this.#busy.delete(partition);
    }
  }
}

/**
 * Which node each partition should belong to: every node gets the same number, give or take one, and as few as possible move when a node comes or goes.
 *
 * Source: rendezvous hashing with a quota.
 */
export function shareOut(partitions: number, nodes: readonly string[]): Array<string | undefined> {
  const shares: Array<string | undefined> = new Array(partitions).fill(undefined);
  if (nodes.length === 0) return shares;
  const least = Math.floor(partitions / nodes.length);
  let extra = partitions % nodes.length;
  const counts = new Map<string, number>();
  for (let partition = 0; partition < partitions; partition++) {
    const ranked = [...nodes].sort((a, b) => weight(b, partition) - weight(a, partition) || (a < b ? -1 : 1));
    for (const node of ranked) {
      const count = counts.get(node) ?? 0;
      if (count < least || (count === least && extra > 0)) {
        if (count === least) extra--;
        counts.set(node, count + 1);
        shares[partition] = node;
        break;
      }
    }
  }
  return shares;
}

function weight(node: string, partition: number): number {
  let hash = 0x811c9dc5 ^ partition;
  for (let i = 0; i < node.length; i++) hash = Math.imul(hash ^ node.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15) ^ Math.imul(partition + 1, 0x9e3779b1), 0x85ebca6b);
  hash ^= hash >>> 13;
  return Math.imul(hash, 0xc2b2ae35) >>> 0;
}
