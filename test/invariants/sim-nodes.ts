/** The nodes of a simulated world: started, crashed, stopped, made deaf, and watched. */
import type { SpaceRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import type { FaultPoint } from "../../runtime/engine/faults.ts";
import { ActorNode } from "../../runtime/engine/node.ts";
import type { NodeEvent } from "../../runtime/engine/telemetry.ts";
import type { Log, ReadOptions } from "../../runtime/log/log.ts";
import type { MemoryBroker, MemoryConnection } from "../../runtime/memory/memory-broker.ts";
import type { VirtualTime } from "../../runtime/memory/virtual-time.ts";
import { definitions } from "./actors.ts";
import type { Chronicle } from "./chronicle.ts";
import { type Plan, points } from "./plan.ts";
import { settings } from "./weather.ts";
import { wrapLog } from "./wrap-log.ts";

/** What a planted bug may change: the log that nodes are given, or the operator. */
export interface Sabotage {
  /** Sees the log of every node that starts, as the node gets it. */
  readonly onNode?: (log: Log) => void;
  readonly wrap?: (log: Log) => Log;
  /** The log that the operator is given. */
  readonly operator?: (log: Log) => Log;
}

/** The space of all simulated worlds. */
export const spaceName = "world";

/** Records that CORE keeps on each subject. */
export const historyDepth = 16;

const maxNodes = 4;

/** What a node only says when something is wrong that no fault explains. */
const alarming = new Set([
  "node.failed",
  "commit.defect",
  "actor.parked",
  "record.unreadable",
  "action.failed",
  "node.drain",
]);

/** A node and what was done to it. */
export interface SimNode {
  readonly name: string;
  readonly connection: MemoryConnection;
  node: ActorNode;
  isGone: boolean;
  isStopping: boolean;
  deafUntilMs: number;
}

/** All nodes of one world, those that are gone included. */
export class SimNodes {
  readonly all: SimNode[] = [];
  /** Crashes to come, by the node that gets there first. */
  readonly armed: { readonly point: FaultPoint; left: number }[] = [];
  /** From now on a node takes the place of the last one that crashes. */
  isHealed = false;
  /** From now on no node starts. */
  isStopping = false;
  readonly #plan: Plan;
  readonly #sabotage: Sabotage;
  readonly #time: VirtualTime;
  readonly #broker: MemoryBroker;
  readonly #chronicle: Chronicle;
  readonly #space: SpaceRecord;
  readonly #subjects = new Subjects(spaceName);

  constructor(plan: Plan, sabotage: Sabotage, time: VirtualTime, broker: MemoryBroker, chronicle: Chronicle) {
    this.#plan = plan;
    this.#sabotage = sabotage;
    this.#time = time;
    this.#broker = broker;
    this.#chronicle = chronicle;
    this.#space = {
      format: 1,
      partitions: plan.partitions,
      hash: "fnv1a-mix32",
      historyDepth,
      identity: { core: "core", ingress: "ingress" },
    };
    for (const point of points) chronicle.count(`crash.${point}`, 0);
  }

  /** Nodes that are not gone. */
  get there(): SimNode[] {
    return this.all.filter((node) => !node.isGone);
  }

  /** Gives all nodes back what was taken from them, and makes sure that there is one. */
  heal(): void {
    for (const node of this.there) {
      node.deafUntilMs = 0;
      node.connection.mend();
      node.connection.thaw();
    }
    this.isHealed = true;
    this.#startIfNoneIsUp();
  }

  /** A node that can still be spoken of: by number, among those that are there. */
  at(number: number): SimNode | undefined {
    const { there } = this;
    return there[number % Math.max(1, there.length)];
  }

  /** Starts another node, unless there are enough; one that cannot start is started again. */
  start(): void {
    const { there } = this;
    if (this.isStopping || there.length >= maxNodes) return;
    const taken = new Set(there.map((node) => node.name));
    let number = 1;
    while (taken.has(`n${number}`)) number++;
    const connection = this.#broker.connect(`n${number}`);
    const sim: SimNode = {
      name: `n${number}`,
      connection,
      node: undefined as unknown as ActorNode,
      isGone: false,
      isStopping: false,
      deafUntilMs: 0,
    };
    sim.node = new ActorNode({
      log: this.#watched(sim, connection.log),
      spaceName,
      space: this.#space,
      definitions,
      node: sim.name,
      time: connection.time,
      random: this.#nodeRandom(),
      settings: settings[this.#plan.settings],
      fault: (point) => this.#onFaultPoint(sim, point),
      onEvent: (event) => this.#onEvent(sim, event),
    });
    this.all.push(sim);
    this.#chronicle.tell(`${sim.name} starts`);
    sim.node.start().catch((error) => {
      if (sim.isGone || sim.isStopping) return;
      // What supervises processes starts it again.
      this.crash(sim, `cannot start: ${error instanceof Error ? error.message : String(error)}`);
      this.#time.after(100, () => this.start());
    });
  }

  #nodeRandom(): () => number {
    const random = this.#time.random.fork("node");
    return () => random.next();
  }

  #onFaultPoint(sim: SimNode, point: FaultPoint): void {
    if (sim.isGone) return;
    for (const [i, armed] of this.armed.entries()) {
      if (armed.point !== point || --armed.left > 0) continue;
      this.armed.splice(i, 1);
      this.#chronicle.count(`crash.${point}`);
      this.crash(sim, `at ${point}`);
      return;
    }
  }

  /** Ends a node as SIGKILL does. */
  crash(sim: SimNode, why: string): void {
    if (sim.isGone) return;
    this.#chronicle.tell(`${sim.name} dies ${why}`);
    sim.isGone = true;
    sim.connection.sever();
    sim.node.abandon();
    if (this.isHealed) this.#time.after(20, () => this.#startIfNoneIsUp());
  }

  /** Stops a node gracefully; it is gone when that is done. */
  stop(sim: SimNode): void {
    if (sim.isGone || sim.isStopping) return;
    sim.isStopping = true;
    this.#chronicle.tell(`${sim.name} is stopped`);
    void sim.node.stop().then(() => {
      if (sim.isGone) return;
      this.#chronicle.tell(`${sim.name} has stopped`);
      sim.isGone = true;
      void sim.connection.log.close();
    });
  }

  #onEvent(sim: SimNode, event: NodeEvent): void {
    if (sim.isGone) return;
    if (event.name === "actor.log") {
      const [actor, message] = event.message.split(": ") as [string, string];
      this.#chronicle.effects.push({
        actor,
        message,
        answer: undefined,
        coreLength: this.#broker.journal("core").length,
      });
      return;
    }
    if (event.level !== "debug") this.#chronicle.tell(`${sim.name} says ${event.name}: ${event.message}`);
    if (event.name === "node.drain" && !this.isStopping) return;
    if (alarming.has(event.name)) this.#chronicle.defect("defect", `${sim.name} says ${event.name}: ${event.message}`);
  }

  /** The log as a node gets it: what the oracle cannot see in the journals is written down. */
  #watched(sim: SimNode, given: Log): Log {
    const coreLength = (): number => this.#broker.journal("core").length;
    const log = this.#sabotage.wrap?.(given) ?? given;
    const watched = wrapLog(log, {
      read: (stream, options) =>
        log.read(stream, options.filters.includes(this.#subjects.leases()) ? this.#hearing(sim, options) : options),
      scan: (stream, filter, options) => {
        this.#chronicle.count("refill");
        return log.scan(stream, filter, options);
      },
      purge: (stream, filter, beforeSeq = Number.POSITIVE_INFINITY) => {
        if (!sim.isGone) this.#chronicle.purges.push({ stream, filter, beforeSeq, coreLength: coreLength() });
        return log.purge(stream, filter, beforeSeq);
      },
      signal: (subject, data) => {
        const ask = this.#subjects.lastName(subject) ?? "";
        if (!sim.isGone) {
          const answer = JSON.parse(Buffer.from(data).toString()) as {
            message: string;
            revision: number;
            outcome: string;
          };
          const actor = ask.slice(0, ask.indexOf("_")).replace("-", "/");
          const { message, revision, outcome } = answer;
          this.#chronicle.effects.push({ actor, message, answer: { revision, outcome }, coreLength: coreLength() });
        }
        log.signal(subject, data);
      },
    });
    this.#sabotage.onNode?.(watched);
    return watched;
  }

  /** What a node hears of others: nothing while it is deaf, and of their leases late, in order. */
  #hearing(sim: SimNode, options: ReadOptions): ReadOptions {
    const { lateMs } = this.#plan;
    const { time } = sim.connection;
    const own = this.#subjects.node(sim.name);
    const late: (() => void)[] = [];
    let isCaughtUp = false;
    return {
      ...options,
      onRecord: (record) => {
        if (!record.subject.endsWith(".lease")) {
          if (record.subject === own || time.elapsed() >= sim.deafUntilMs) options.onRecord(record);
        } else if (!isCaughtUp || lateMs === 0) options.onRecord(record);
        else {
          late.push(() => options.onRecord(record));
          time.after(lateMs, () => late.shift()?.());
        }
      },
      onCaughtUp: () => {
        isCaughtUp = true;
        options.onCaughtUp?.();
      },
    };
  }

  #startIfNoneIsUp(): void {
    if (!this.isStopping && !this.there.some((node) => !node.isStopping)) this.start();
  }
}
