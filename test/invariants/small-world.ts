/** A small world for examples: what happens is said call by call, and nothing goes wrong by itself. */
import { type Address, partitionOf } from "../../runtime/core/address.ts";
import { type Envelope, encodeEnvelope } from "../../runtime/core/envelope.ts";
import type { LetterRecord, SpaceRecord, StateRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import type { NodeSettings } from "../../runtime/engine/context.ts";
import type { RunnableDefinition } from "../../runtime/engine/definition.ts";
import type { FaultHook } from "../../runtime/engine/faults.ts";
import { ActorNode } from "../../runtime/engine/node.ts";
import type { Log } from "../../runtime/log/log.ts";
import { createMemoryBroker, type MemoryConnection } from "../../runtime/memory/memory-broker.ts";
import { VirtualTime } from "../../runtime/memory/virtual-time.ts";
import { countingDependency, definitions, depend, type RelayContext, type RelayEvent } from "./actors.ts";
import { checkBooks } from "./books.ts";
import { judge, type Mail, readJson, type SendEntry, type Violation } from "./oracle.ts";
import { replay } from "./replay.ts";
import { checkSupervision } from "./supervised.ts";

const spaceName = "small";

/** A node of a small world. */
export interface SmallNode {
  readonly name: string;
  readonly node: ActorNode;
  readonly connection: MemoryConnection;
  /** Ends it as SIGKILL does. */
  crash(): void;
}

/** Makes a world without nodes; time passes only by `advance`. */
export function smallWorld(options: { readonly partitions?: number; readonly seed?: number } = {}) {
  const { partitions = 1, seed = 1 } = options;
  const time = new VirtualTime({ seed });
  const broker = createMemoryBroker({ time, timeoutMs: 200, historyDepth: 64 });
  const subjects = new Subjects(spaceName);
  const client = broker.connect("client");
  const sends: SendEntry[] = [];
  const space: SpaceRecord = {
    format: 1,
    partitions,
    hash: "fnv1a-mix32",
    historyDepth: 64,
    identity: { core: "core", ingress: "ingress" },
  };
  depend(countingDependency());
  let messages = 0;

  const advance = (ms: number): Promise<void> => time.advance(ms);

  /** Starts a node and lets it take its partitions. */
  async function startNode(
    name: string,
    over: {
      readonly fault?: FaultHook;
      readonly settings?: Partial<NodeSettings>;
      readonly wrap?: (log: Log) => Log;
      readonly definitions?: readonly RunnableDefinition[];
    } = {},
  ): Promise<SmallNode> {
    const connection = broker.connect(name);
    // Commits are told apart by what a node draws: every node needs numbers of its own.
    const random = time.random.fork(name);
    const node = new ActorNode({
      log: over.wrap?.(connection.log) ?? connection.log,
      spaceName,
      space,
      definitions: over.definitions ?? definitions,
      node: name,
      time: connection.time,
      random: () => random.next(),
      settings: {
        heartbeatMs: 100,
        leaseMs: 400,
        checkpointMs: 100,
        purgeMs: 200,
        ingressGraceMs: 500,
        ...over.settings,
      },
      ...(over.fault === undefined ? {} : { fault: over.fault }),
    });
    void node.start();
    await time.advance(300);
    return {
      name,
      node,
      connection,
      crash() {
        connection.sever();
        node.abandon();
      },
    };
  }

  /** Stores events for an actor as one atomic append of one sender; resolves when they are stored. */
  async function send(
    to: Address,
    events: readonly RelayEvent[],
    from: {
      readonly sender?: string;
      readonly key?: string;
      readonly reply?: string;
      readonly forged?: Partial<Envelope>;
    } = {},
  ): Promise<void> {
    const { sender = "client", key, reply, forged } = from;
    const partition = partitionOf(to, partitions);
    const entries: SendEntry[] = [];
    const records = events.map((event) => {
      const id = `m${++messages}`;
      const envelope: Envelope = {
        format: 1,
        kind: "event",
        id,
        event,
        sentAt: time.now(),
        ...(key === undefined ? {} : { key }),
        ...(reply === undefined ? {} : { reply }),
        ...forged,
      };
      const subject = subjects.ingress(sender, partition, to, key === undefined ? id : `k-${key}`);
      entries.push({ sender, to: `${to.type}/${to.id}`, message: id, subject, key, status: "open", seq: 0 });
      return { subject, data: encodeEnvelope(envelope), expectLastSeq: 0 };
    });
    sends.push(...entries);
    void client.log.append("ingress", records).then((result) => {
      if (result._tag !== "Appended") throw new Error(`The messages were not stored: ${result.reason}`);
      for (const [i, entry] of entries.entries()) {
        entry.status = "confirmed";
        entry.seq = result.firstSeq + i;
      }
    });
    await time.settle();
  }

  /** The newest state record of an actor. */
  function stateOf(of: Address): StateRecord | undefined {
    const record = broker.records("core", subjects.state(partitionOf(of, partitions), of)).at(-1);
    return record === undefined ? undefined : readJson<StateRecord>(record);
  }

  /** What a relay has logged. */
  function logOf(of: Address): readonly string[] {
    return (stateOf(of)?.snapshot?.context as RelayContext | undefined)?.log ?? [];
  }

  /** The dead letters, oldest first. */
  function letters(): LetterRecord[] {
    return broker
      .records("core", subjects.deadLetters())
      .map((record) => readJson<LetterRecord>(record) as LetterRecord);
  }

  /** All that the oracle, the replay and the books have to say, and the messages with what became of them. */
  function verdict(isQuiet = true): { readonly violations: readonly Violation[]; readonly mails: readonly Mail[] } {
    const reading = judge({
      space: spaceName,
      partitions,
      journal: { ingress: broker.journal("ingress"), core: broker.journal("core") },
      stored: { ingress: broker.records("ingress"), core: broker.records("core") },
      sends,
      purges: [],
      effects: [],
      isQuiet,
    });
    const { violations, mails } = reading;
    if (violations.length > 0) return { violations, mails };
    return {
      violations: [
        ...checkSupervision(reading),
        ...checkBooks(reading, isQuiet),
        ...replay(reading, definitions, client.log.limits),
      ],
      mails,
    };
  }

  return { time, broker, subjects, advance, startNode, send, stateOf, logOf, letters, verdict };
}
