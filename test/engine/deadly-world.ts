/** Nodes that die by what they handle, and are started again: a message says so by its `deadly` field. */
import { assign, enqueueActions, setup } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestNode, type TestSystem } from "../../actors/test-system.ts";
import { TerminalError } from "../../runtime/core/errors.ts";
import {
  decodeRecord,
  encodeRecord,
  type LeaseRecord,
  recordFormat,
  type TrialRecord,
} from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import type { NodeSettings } from "../../runtime/engine/context.ts";
import type { NodeEvent } from "../../runtime/engine/telemetry.ts";

/** What the actors take. */
export type DeadlyEvent =
  | {
      readonly type: "ADD";
      readonly uid: string;
      readonly deadly?: boolean;
      readonly fails?: boolean;
      readonly fatal?: boolean;
    }
  | { readonly type: "SET"; readonly uid: string; readonly delay: number; readonly deadly?: boolean }
  | { readonly type: "RING"; readonly uid: string; readonly deadly?: boolean };

/** Does what becomes of a message: ends the process, throws, or nothing. */
type Hook = (event: DeadlyEvent) => void;

/** The machine; with a version, states of earlier ones have to be migrated. */
export function machineWith(hook: Hook, version?: string) {
  return setup({
    types: { context: {} as { readonly log: readonly string[] }, events: {} as DeadlyEvent },
  }).createMachine({
    id: "victim",
    ...(version === undefined ? {} : { version }),
    context: { log: [] },
    on: {
      ADD: {
        actions: assign({
          log: ({ context, event }) => {
            hook(event);
            return [...context.log, event.uid];
          },
        }),
      },
      SET: {
        actions: enqueueActions(({ enqueue, event: { uid, delay, deadly } }) => {
          enqueue.raise({ type: "RING", uid, ...(deadly === undefined ? {} : { deadly }) }, { id: uid, delay });
        }),
      },
      RING: {
        actions: assign({
          log: ({ context, event }) => {
            hook(event);
            return [...context.log, event.uid];
          },
        }),
      },
    },
  });
}

/** What of the options the tests set. */
interface Victim {
  readonly retry?: { readonly base: number; readonly jitter: "none" };
  readonly order?: "overtake";
  readonly onExhausted?: "park" | "stop";
}

/** The actor type of these worlds, as a node runs it. */
export function victim(hook: Hook, options: Victim = {}) {
  return defineActor("victim", { machine: machineWith(hook), ...options });
}

/** A system whose nodes are started again when they die. */
export class DeadlyWorld {
  readonly system: TestSystem;
  readonly events: NodeEvent[] = [];
  /** How many nodes died by a message. */
  deaths = 0;
  /** How often a message was handled that ends the process, by its uid. */
  readonly handled = new Map<string, number>();
  readonly #define: (hook: Hook) => ReturnType<typeof victim>;
  readonly #restartMs: number;
  readonly #nodes = new Set<TestNode>();
  readonly #dead = new Set<TestNode>();
  /** Nodes that are to be started, by when. */
  readonly #due: number[] = [];
  #started = 0;

  private constructor(system: TestSystem, define: (hook: Hook) => ReturnType<typeof victim>, restartMs: number) {
    this.system = system;
    this.#define = define;
    this.#restartMs = restartMs;
  }

  static async start({
    nodes = 1,
    partitions = 2,
    seed = 1,
    settings = {},
    define = (hook) => victim(hook),
    restartMs = 300,
  }: {
    readonly nodes?: number;
    readonly partitions?: number;
    readonly seed?: number;
    readonly settings?: Partial<NodeSettings>;
    readonly define?: (hook: Hook) => ReturnType<typeof victim>;
    readonly restartMs?: number;
  } = {}): Promise<DeadlyWorld> {
    const events: NodeEvent[] = [];
    const system = await createTestSystem({
      actors: [define(() => {})],
      nodes: 0,
      partitions,
      seed,
      settings,
      onEvent: (event) => events.push(event),
    });
    const world = new DeadlyWorld(system, define, restartMs);
    for (let i = 0; i < nodes; i++) await world.startNode();
    return world;
  }

  /** Nodes that have not died. */
  get alive(): TestNode[] {
    return [...this.#nodes];
  }

  async startNode(): Promise<TestNode> {
    const name = `node-${++this.#started}`;
    const hook: Hook = (event) => {
      if ("fails" in event && event.fails === true && (this.handled.get(event.uid) ?? 0) === 0) {
        this.handled.set(event.uid, 1);
        throw new Error("Not yet.");
      }
      if ("fatal" in event && event.fatal === true) throw new TerminalError("Never.");
      if (event.deadly !== true) return;
      this.handled.set(event.uid, (this.handled.get(event.uid) ?? 0) + 1);
      const node = this.system.nodes.find((each) => each.name === name);
      if (node !== undefined && !this.#dead.has(node)) {
        this.deaths++;
        this.crash(node);
      }
      throw new Error("A process that has ended goes no further.");
    };
    const node = await this.system.startNode({ name, actors: [this.#define(hook)] });
    if (!this.#dead.has(node)) this.#nodes.add(node);
    return node;
  }

  /** Ends a node as SIGKILL does; another one takes its place. */
  crash(node: TestNode): void {
    this.#nodes.delete(node);
    this.#dead.add(node);
    node.crash();
    this.#due.push(this.system.time.elapsed() + this.#restartMs);
  }

  /** Ends a node in order. */
  async stopNode(node: TestNode): Promise<void> {
    this.#nodes.delete(node);
    await this.system.run(node.stop());
  }

  /** Lets time pass; nodes that have died are started again meanwhile. */
  async advance(ms: number): Promise<void> {
    const { time } = this.system;
    for (const endMs = time.elapsed() + ms; time.elapsed() < endMs; ) {
      await this.system.advance(Math.max(1, Math.min(100, endMs - time.elapsed())));
      while (this.#due.length > 0 && (this.#due[0] as number) <= time.elapsed()) {
        this.#due.shift();
        await this.startNode();
      }
    }
  }

  async send(to: string, event: DeadlyEvent): Promise<void> {
    await this.system.run(this.system.client.send(`victim/${to}`, event));
  }

  /** What the actor has applied, in order. */
  async logOf(id: string): Promise<readonly string[]> {
    const view = await this.system.run(this.system.client.get(`victim/${id}`));
    return (view?.context as { readonly log: readonly string[] } | undefined)?.log ?? [];
  }

  letters() {
    return this.system.run(this.system.client.deadLetters.list({}));
  }

  /** Records of trials that are in the log. */
  get trials() {
    return this.system.broker.records("core", "sw.test.core.*.trial");
  }

  async stop(): Promise<void> {
    await this.system.stop();
  }
}

/** Leaves behind what an owner writes that tries a message alone, as if it had ended by it: where `maxCrashes` is 1, the next owner does not handle the message. */
export async function blame(system: TestSystem, partition: number, name: string): Promise<void> {
  const subjects = new Subjects("test");
  const { log } = system.broker.connect(`blame ${name}`);
  const lease = await system.run(log.last("core", subjects.lease(partition)));
  if (lease === undefined) throw new Error(`Partition ${partition} has no owner.`);
  const { owner } = decodeRecord<LeaseRecord>("a lease", lease.data);
  const record: TrialRecord = {
    format: recordFormat,
    owner,
    until: { ingress: 0, core: 0 },
    ends: [],
    suspects: { [name]: [] },
    alone: name,
  };
  await system.run(log.append("core", [{ subject: subjects.trial(partition), data: encodeRecord(record) }]));
}
