/** What the client's tests stand on: a broker in memory with virtual time, and a node that is as simple as a node can be. */
import { type Client, type ClientOptions, createClient } from "../../actors/client.ts";
import { type Address, formatAddress, partitionOf } from "../../runtime/core/address.ts";
import { cloudEvent, eventSource } from "../../runtime/core/cloud-events.ts";
import { toStored } from "../../runtime/core/codec.ts";
import { decodeEnvelope } from "../../runtime/core/envelope.ts";
import {
  type ActorTypeRecord,
  type Answer,
  decodeRecord,
  encodeRecord,
  type HandledMessage,
  type KeyRecord,
  type LetterRecord,
  recordFormat,
  type SpaceRecord,
  type StateRecord,
} from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import type { AppendRecord, Log, LogRecord, ReadOptions } from "../../runtime/log/log.ts";
import { createMemoryBroker, type MemoryBroker, type MemoryBrokerOptions } from "../../runtime/memory/memory-broker.ts";
import { VirtualTime } from "../../runtime/memory/virtual-time.ts";

export const partitions = 8;
export const space: SpaceRecord = {
  format: recordFormat,
  partitions,
  hash: "fnv1a-mix32",
  historyDepth: 64,
  identity: { core: "c", ingress: "i" },
};

/** A space in memory with one client. */
export class World {
  readonly time: VirtualTime;
  readonly broker: MemoryBroker;
  readonly subjects = new Subjects("test");
  readonly log: Log;
  readonly client: Client;
  #clients = 0;

  constructor(
    options: MemoryBrokerOptions & { readonly seed?: number; readonly client?: Partial<ClientOptions> } = {},
  ) {
    this.time = new VirtualTime({ seed: options.seed ?? 1 });
    this.broker = createMemoryBroker({ ...options, time: this.time });
    this.log = this.broker.connect("operator").log;
    this.client = this.connect(options.client);
  }

  connect(options: Partial<ClientOptions> = {}): Client {
    const { log, time } = this.broker.connect(`client-${++this.#clients}`);
    const clientId = `m${String(this.#clients).padStart(21, "0")}`;
    return createClient({
      log,
      time,
      space,
      spaceName: "test",
      clientId,
      random: () => 0.5,
      allowUnknownTypes: true,
      ...options,
    });
  }

  /** Lets time pass until the promise is settled. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const onSettled = () => {
      isSettled = true;
    };
    promise.then(onSettled, onSettled);
    await this.time.runUntil(() => isSettled);
    return promise;
  }

  /** What `run` rejects with. */
  async failure(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
    return (await this.run(
      promise.then(
        (value) => {
          throw new Error(`Expected a failure, got ${JSON.stringify(value)}.`);
        },
        (error) => error,
      ),
    )) as Error & Record<string, unknown>;
  }

  /** The payloads of the events in INGRESS for one actor, in order. */
  stored(actor: string): unknown[] {
    return this.broker
      .journal("ingress")
      .filter((record) => nameIn(this.subjects, record) === actor)
      .map((record) => decodeEnvelope(record.data).event?.n);
  }

  /** Appends to CORE as a node would. */
  async write(records: readonly AppendRecord[]): Promise<number> {
    const result = await this.run(this.log.append("core", records));
    if (result._tag !== "Appended") throw new Error(`Not appended: ${result.reason}`);
    return result.firstSeq;
  }

  register(type: string, more: Partial<ActorTypeRecord> = {}): Promise<number> {
    const record: ActorTypeRecord = {
      format: recordFormat,
      type,
      machine: { id: type, fingerprint: "f" },
      needsCreate: false,
      ...more,
    };
    return this.write([{ subject: this.subjects.actorType(type), data: encodeRecord(record) }]);
  }

  writeState(of: Address, revision: number, more: Partial<StateRecord> = {}): Promise<number> {
    return this.write([
      { subject: this.subjects.state(partitionOf(of, partitions), of), data: encodeRecord(state(revision, more)) },
    ]);
  }

  /** Commits events as if an actor had emitted them; their ids are `<id>-0`, `<id>-1`, … */
  writeEmitted(by: Address, id: string, ...events: ReadonlyArray<{ readonly type: string }>): Promise<number> {
    const partition = partitionOf(by, partitions);
    return this.write(
      events.map((event, i) => ({
        subject: this.subjects.emitted(partition, by, event.type, `${id}-${i}`),
        ...cloudEvent(`${id}-${i}`, eventSource("test", by), event.type, 1, JSON.stringify(toStored(event, "event"))),
      })),
    );
  }

  writeLetter(of: Address, letter: string, more: Partial<LetterRecord> = {}): Promise<number> {
    const record: LetterRecord = {
      format: recordFormat,
      letter,
      to: formatAddress(of),
      reason: "attempts",
      explanation: "All attempts failed.",
      attempts: [],
      attemptCount: 3,
      envelope: { format: 1, kind: "event", id: `message-${letter}`, event: { type: "ADD", n: 1 }, sentAt: 1 },
      source: { stream: "ingress", seq: 1, subject: "s" },
      at: 1,
      redrives: 0,
      status: "dead",
      ...more,
    };
    return this.write([
      { subject: this.subjects.dead(partitionOf(of, partitions), of, letter), data: encodeRecord(record) },
    ]);
  }
}

/** Counts the readers that a log opens and has open. */
export function countReaders(world: World): {
  client: ReturnType<World["connect"]>;
  opened: number;
  open: number;
  paused: number;
} {
  const { log, time } = world.broker.connect();
  const read = log.read.bind(log);
  const counts = { client: world.client, opened: 0, open: 0, paused: 0 };
  log.read = (stream, options: ReadOptions) => {
    counts.opened++;
    counts.open++;
    const reader = read(stream, options);
    return {
      ready: reader.ready,
      pause: () => {
        counts.paused++;
        reader.pause();
      },
      resume: () => reader.resume(),
      stop: () => {
        counts.open--;
        reader.stop();
      },
    };
  };
  counts.client = world.connect({ log, time });
  return counts;
}

export function state(revision: number, more: Partial<StateRecord> = {}): StateRecord {
  const messages = more.handled ?? [];
  return {
    format: recordFormat,
    revision,
    status: "active",
    cursor: { ingress: 0, core: 0 },
    snapshot: { value: "idle", context: { count: revision } },
    commit: `commit-${revision}`,
    previous: 0,
    outbox: 0,
    ...more,
    handled: messages.map((message, i) => ({ ...message, revision: revision - messages.length + 1 + i })),
  };
}

export function handled(message: string, more: Partial<HandledMessage> = {}): HandledMessage {
  return { revision: 0, message, event: "ADD", outcome: "applied", from: "idle", to: "idle", at: 1, ...more };
}

function nameIn(subjects: Subjects, record: LogRecord): string | undefined {
  const to = subjects.parseMailbox("ingress", record.subject)?.to;
  return to === undefined ? undefined : formatAddress(to);
}

/** A node that counts: `ADD` is applied, `NOP` ignored, `BAD` dies, `create` creates. It answers unless told not to. */
export class CountingNode {
  answers = true;
  readonly #world: World;
  readonly #log: Log;
  readonly #queue: LogRecord[] = [];
  #isBusy = false;
  #commits = 0;

  constructor(world: World) {
    this.#world = world;
    this.#log = world.broker.connect("node").log;
    this.#log.read("ingress", {
      filters: [world.subjects.all("ingress")],
      from: { seq: 1 },
      onRecord: (record) => {
        this.#queue.push(record);
        if (!this.#isBusy) void this.#work();
      },
      onError: (error) => {
        throw error;
      },
    });
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let record = this.#queue.shift(); record !== undefined; record = this.#queue.shift())
      await this.#handle(record);
    this.#isBusy = false;
  }

  async #last(subject: string): Promise<LogRecord | undefined> {
    for (;;) {
      try {
        return await this.#log.last("core", subject);
      } catch {
        // Unavailable: the next try may do better.
      }
    }
  }

  async #handle(record: LogRecord): Promise<void> {
    const { subjects } = this.#world;
    const to = subjects.parseMailbox("ingress", record.subject)?.to as Address;
    const partition = partitionOf(to, partitions);
    const envelope = decodeEnvelope(record.data);
    const last = await this.#last(subjects.state(partition, to));
    const before = last === undefined ? state(0, { status: "new" }) : decodeRecord<StateRecord>("a state", last.data);
    const keySubject = envelope.key === undefined ? undefined : subjects.key(partition, to, envelope.key);
    const key = keySubject === undefined ? undefined : await this.#last(keySubject);
    const earlier = key === undefined ? undefined : decodeRecord<KeyRecord>("a key", key.data);
    const event = envelope.kind === "create" ? "create" : (envelope.event?.type as string);
    const outcome =
      earlier !== undefined
        ? "duplicate"
        : event === "BAD"
          ? "dead"
          : event === "NOP" || (event === "create" && before.status !== "new")
            ? "ignored"
            : event === "create"
              ? "created"
              : "applied";
    const changes = outcome === "applied" || outcome === "created";
    const count =
      ((before.snapshot?.context as { count?: number } | undefined)?.count ?? 0) + (outcome === "applied" ? 1 : 0);
    const status = changes ? "active" : before.status;
    const snapshot = status === "new" ? undefined : { value: "idle", context: { count } };
    const letter = outcome === "dead" ? { letter: `i${record.seq}`, reason: "attempts" as const } : {};
    const reply = outcome === "applied" ? { reply: { count } } : {};
    const answer: Answer = earlier?.answer ?? {
      message: envelope.id,
      outcome,
      revision: before.revision + 1,
      status,
      ...reply,
      ...letter,
      ...(outcome === "dead" ? { explanation: "It is bad." } : {}),
      ...(envelope.reply === undefined || snapshot === undefined ? {} : { snapshot }),
    };
    const after = state(before.revision + 1, {
      status,
      cursor: { ingress: record.seq, core: 0 },
      handled: [handled(envelope.id, { event, outcome, ...reply, ...letter })],
      commit: `commit-${this.#commits++}`,
    });
    const records: AppendRecord[] = [
      {
        subject: subjects.state(partition, to),
        data: encodeRecord({ ...after, snapshot } as StateRecord),
        expectLastSeq: last?.seq ?? 0,
      },
    ];
    if (keySubject !== undefined && outcome !== "duplicate" && outcome !== "dead") {
      const source = { stream: "ingress", seq: record.seq } as const;
      const keyRecord: KeyRecord = { format: recordFormat, message: envelope.id, source, answer };
      records.push({ subject: keySubject, data: encodeRecord(keyRecord) });
    }
    const result = await this.#log.append("core", records);
    if (result._tag !== "Appended") throw new Error(`Not committed: ${result.reason}`);
    if (this.answers && envelope.reply !== undefined)
      this.#log.signal(envelope.reply, Buffer.from(JSON.stringify(answer)));
  }
}
