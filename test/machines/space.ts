/**
 * A space in which scripts are played: nodes that may be made to die, a client, a witness, and a clock on the wall that is set forward.
 *
 * The adapters differ in how a process is connected and dies, and in how time passes; everything else is the same for both.
 */
import { type Client, createClient } from "../../actors/client.ts";
import type { AnyActorDefinition } from "../../actors/define-actor.ts";
import type { Address } from "../../runtime/core/address.ts";
import { RetryableError } from "../../runtime/core/errors.ts";
import type { SpaceRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import type { Time } from "../../runtime/core/time.ts";
import type { NodeSettings } from "../../runtime/engine/context.ts";
import type { RunnableDefinition } from "../../runtime/engine/definition.ts";
import { type FaultPoint, faultPoints } from "../../runtime/engine/faults.ts";
import { ActorNode } from "../../runtime/engine/node.ts";
import type { Log } from "../../runtime/log/log.ts";
import type { WorkQueue } from "../../runtime/log/work-queue.ts";
import { WallClock } from "./wall-clock.ts";
import { Witness } from "./witness.ts";

/** One process' way to the log. */
export interface Connection {
  readonly log: Log;
  readonly workQueue: WorkQueue;
  readonly time: Time;
  /** Nothing goes out or comes in any more. */
  sever(): void;
}

/** Where the processes of a space are, and how time passes there. */
export interface Place {
  readonly spaceName: string;
  readonly space: SpaceRecord;
  readonly settings: Partial<NodeSettings>;
  /** Long enough for what a live child says at once to be in the log, in milliseconds. */
  readonly graceMs: number;
  /** How often it is looked whether all has come to rest, in milliseconds. */
  readonly lookMs: number;
  /** Within this time a checkpoint is written, and what it covers is purged, in milliseconds. */
  readonly tidyMs: number;
  /** How long something may take that takes long: a takeover, retries. */
  readonly patienceMs: number;
  /** Random numbers in [0, 1). */
  readonly random: () => number;
  connect(name: string): Connection;
  /** Lets time pass until the promise settles. */
  run<A>(promise: Promise<A>): Promise<A>;
  wait(ms: number): Promise<void>;
}

/** Where a node is to die. */
export interface Crash {
  readonly point: FaultPoint;
  /** At which passage of the point, from 1. */
  readonly passage: number;
}

interface RunningNode {
  readonly name: string;
  readonly node: ActorNode;
  /** Resolves when it dies. */
  readonly died: Promise<void>;
  /** What it is to die of. */
  readonly crash: Crash | undefined;
  isDead: boolean;
}

/** A space with one partition, and what happens in it. */
export class MachineSpace {
  readonly clock = new WallClock();
  readonly client: Client;
  readonly witness: Witness;
  /** How often each fault point was passed, by all nodes. */
  readonly passages = new Map<FaultPoint, number>(faultPoints.map((point) => [point, 0]));
  /** The crashes that have happened, in order. */
  readonly crashed: Crash[] = [];
  /** What machines have logged. */
  readonly logged: unknown[] = [];
  /** The check of the next event throws. */
  isDoorFlaky = false;
  #litter = 0;
  readonly #log: Log;
  readonly #subjects: Subjects;
  readonly #place: Place;
  readonly #definitions: readonly RunnableDefinition[];
  readonly #time: Time;
  readonly #nodes: RunningNode[] = [];
  /** Crashes that are to come: the next one is for the node that is started next. */
  readonly #planned: Crash[];

  constructor(place: Place, definitions: readonly AnyActorDefinition[], planned: readonly Crash[] = []) {
    this.#place = place;
    this.#definitions = definitions.map((definition) => this.#flaky(definition));
    this.#planned = [...planned];
    const outside = place.connect("client");
    this.#time = this.clock.over(outside.time);
    this.#log = outside.log;
    this.#subjects = new Subjects(place.spaceName);
    this.client = createClient({
      log: outside.log,
      space: place.space,
      spaceName: place.spaceName,
      time: this.#time,
      random: place.random,
      actors: definitions,
      clientId: "machines",
    });
    this.witness = new Witness(place.connect("witness").log, this.#subjects);
  }

  async open(): Promise<void> {
    await this.#place.run(this.witness.open());
    await this.#tend();
  }

  async close(): Promise<void> {
    this.witness.close();
    await this.#place.run(this.client.close());
    for (const { node, isDead } of this.#nodes) if (!isDead) await this.#place.run(node.stop());
  }

  /** The crashes that have not happened yet. */
  get planned(): readonly Crash[] {
    const alive = this.#nodes.filter(({ isDead, crash }) => !isDead && crash !== undefined);
    return [...alive.map(({ crash }) => crash as Crash), ...this.#planned];
  }

  now(): number {
    return this.#time.now();
  }

  /** Waits for a promise, and sees to it that there is a node meanwhile. */
  async run<A>(promise: Promise<A>): Promise<A> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    const settled = promise.then(settle, settle);
    while (!isSettled) {
      await this.#tend();
      const deaths = this.#nodes.filter(({ isDead }) => !isDead).map(({ died }) => died);
      await this.#place.run(Promise.race([settled, ...deaths]));
    }
    return promise;
  }

  /** Stops the owner as an operator does; another node goes on. */
  async handOver(): Promise<void> {
    const owner = this.#owner();
    if (owner === undefined) return;
    await this.#start();
    await this.#place.run(Promise.race([owner.node.stop(), owner.died]));
    // What it was to die of is left for another one.
    if (!owner.isDead && owner.crash !== undefined) this.#planned.push(owner.crash);
    owner.isDead = true;
  }

  /** Puts bytes that are no message into the mailbox of an actor. */
  async litter({ type, id }: Address): Promise<void> {
    const subject = this.#subjects.ingress("litter", 0, { type, id }, `litter-${this.#litter++}`);
    await this.#place.run(this.#log.append("ingress", [{ subject, data: Buffer.from("{") }]));
  }

  /** Lets everything that is under way come to its end, with a node that owns the actors. */
  async rest(): Promise<void> {
    const { patienceMs, lookMs, graceMs } = this.#place;
    let quietMs = 0;
    for (let waitedMs = 0; ; waitedMs += lookMs) {
      await this.#tend();
      const why = this.#owner() === undefined ? "nobody owns the actors" : await this.#underWay();
      quietMs = why === undefined ? quietMs + lookMs : 0;
      if (why === undefined && (quietMs > graceMs || !this.witness.hasLive)) return;
      if (waitedMs > patienceMs) throw new Error(`Nothing comes to rest: ${why ?? "live children are busy"}.`);
      await this.#place.wait(lookMs);
    }
  }

  /** Lets hours pass: from one timer to the next, each at its time. */
  async pass(ms: number): Promise<void> {
    const endMs = this.now() + ms;
    // Who takes over within these hours is not to find everything in the mailboxes again.
    await this.#place.wait(this.#place.tidyMs);
    await this.rest();
    for (;;) {
      const dueMs = this.witness.nextDue(this.now());
      if (dueMs === undefined || dueMs > endMs) break;
      this.clock.leap(dueMs - this.now() + 1);
      await this.rest();
    }
    if (this.now() < endMs) this.clock.leap(endMs - this.now());
    await this.rest();
  }

  #flaky(definition: AnyActorDefinition): RunnableDefinition {
    return {
      ...definition,
      checkEvent: (event) => {
        if (this.isDoorFlaky) {
          this.isDoorFlaky = false;
          throw new RetryableError("The door is stuck.", { retryAfter: 30 });
        }
        return definition.checkEvent(event);
      },
    };
  }

  #underWay(): Promise<string | undefined> {
    return this.#place.run(this.witness.underWay(this.now()));
  }

  #owner(): RunningNode | undefined {
    const owner = this.witness.leases.at(-1)?.owner ?? "";
    return this.#nodes.find(({ name, isDead }) => !isDead && owner.startsWith(`${name}:`));
  }

  /** Starts a node where none is left. */
  async #tend(): Promise<void> {
    if (this.#nodes.every(({ isDead }) => isDead)) await this.#start();
  }

  async #start(): Promise<void> {
    const name = `node-${this.#nodes.length + 1}`;
    const connection = this.#place.connect(name);
    const crash = this.#planned.shift();
    let left = crash?.passage ?? 0;
    let die: () => void = () => {};
    const died = new Promise<void>((resolve) => {
      die = resolve;
    });
    const node = new ActorNode({
      log: connection.log,
      spaceName: this.#place.spaceName,
      space: this.#place.space,
      definitions: this.#definitions,
      work: {
        activities: this.#definitions.flatMap(({ activities }) => activities),
        workQueue: connection.workQueue,
        ingressLimits: connection.log.limits,
      },
      node: name,
      settings: this.#place.settings,
      random: this.#place.random,
      time: this.clock.over(connection.time),
      onEvent: (event) => {
        if (event.name === "actor.log") this.logged.push(event.data?.value);
      },
      fault: (point) => {
        if (running.isDead) return;
        this.passages.set(point, (this.passages.get(point) ?? 0) + 1);
        if (crash?.point !== point || --left > 0) return;
        running.isDead = true;
        this.crashed.push(crash);
        connection.sever();
        node.abandon();
        die();
      },
    });
    const running: RunningNode = { name, node, died, crash, isDead: false };
    this.#nodes.push(running);
    await this.#place.run(Promise.race([node.start(), died]));
  }
}
