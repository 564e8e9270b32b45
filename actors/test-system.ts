/**
 * A whole system in one process, for tests: a broker in memory, nodes and a client, under virtual time.
 *
 * 1. Nothing waits for real: timeouts, retries and takeovers pass in microseconds.
 * 2. The same seed and the same calls give the same run.
 */
import type { SpaceRecord } from "../runtime/core/records.ts";
import type { NodeSettings } from "../runtime/engine/context.ts";
import type { RunnableActivity } from "../runtime/engine/definition.ts";
import type { FaultPoint } from "../runtime/engine/faults.ts";
import { ActorNode, type NodeStats } from "../runtime/engine/node.ts";
import type { NodeEvent } from "../runtime/engine/telemetry.ts";
import type { FaultPlan } from "../runtime/memory/faults.ts";
import { createMemoryBroker, type MemoryBroker, type MemoryConnection } from "../runtime/memory/memory-broker.ts";
import { VirtualTime } from "../runtime/memory/virtual-time.ts";
import { refuseProblems } from "../runtime/supervise/check-options.ts";
import { activitiesFor } from "./activity-choice.ts";
import { type Client, createClient } from "./client.ts";
import type { AnyActorDefinition } from "./define-actor.ts";
import { passTime, type Sleeper } from "./long-advance.ts";
import type { NodeOptions } from "./start-node.ts";

/** Options of {@link createTestSystem}; all but `actors` have defaults. */
export interface TestSystemOptions {
  readonly actors: readonly AnyActorDefinition[];
  /** What the nodes work on besides the activities of their actors, as in `startNode`. Handlers wait by {@link TestSystem.sleep}. */
  readonly activities?: NodeOptions["activities"];
  /** Decides everything that is left to chance. Default: 1. */
  readonly seed?: number;
  /** How many nodes are started. Default: 1. */
  readonly nodes?: number;
  /** Default: 4. */
  readonly partitions?: number;
  /** What the broker does wrong, and how often. Default: nothing. */
  readonly faults?: FaultPlan;
  /** Settings of all nodes, durations in milliseconds. Default: those of real nodes. */
  readonly settings?: Partial<NodeSettings>;
  /** Receives what the nodes have to say. Default: silence. */
  readonly onEvent?: (event: NodeEvent, node: string) => void;
  /** As in `startNode`, for all nodes. */
  readonly onDeadLetter?: NodeOptions["onDeadLetter"];
}

/** A node of a test system. */
export interface TestNode {
  readonly name: string;
  /** It was ended as SIGKILL does. */
  readonly isCrashed: boolean;
  stats(): NodeStats;
  /** Ends it as SIGKILL does. */
  crash(): void;
  /** Ends it as SIGKILL does when it comes to the fault point for the `count`-th time (default 1). */
  crashAt(point: FaultPoint, count?: number): void;
  /** Stops and continues it, as SIGSTOP and SIGCONT do. */
  freeze(): void;
  thaw(): void;
  /** Stops it gracefully. */
  stop(): Promise<void>;
}

/** A system under test. */
export interface TestSystem {
  readonly time: VirtualTime;
  readonly broker: MemoryBroker;
  readonly client: Client;
  readonly nodes: readonly TestNode[];
  /** Starts another node, of other definitions when given, as after a deploy. */
  startNode(options?: {
    readonly name?: string;
    readonly actors?: readonly AnyActorDefinition[];
    readonly activities?: NodeOptions["activities"];
  }): Promise<TestNode>;
  /** Lets time pass until the promise settles, and settles as it does. */
  run<A>(promise: Promise<A>): Promise<A>;
  /**
   * Lets so much time pass, in milliseconds. Nodes sleep through long times in which no timer is due, so that years pass in a moment.
   */
  advance(ms: number): Promise<void>;
  /**
   * Resolves after so many milliseconds of the system's time: for handlers of activities, which would wait for real with a timer of their own, while the
   * system's time flies. Rejects with the signal's reason when it is aborted.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

const spaceName = "test";
const historyDepth = 64;

/**
 * Starts a system with one client and the nodes asked for.
 *
 * Every call of the client must be driven, since time stands still otherwise: `await system.run(system.client.ask(…))`.
 */
export async function createTestSystem(options: TestSystemOptions): Promise<TestSystem> {
  const time = new VirtualTime({ seed: options.seed ?? 1 });
  const broker = createMemoryBroker({
    time,
    historyDepth,
    ...(options.faults === undefined ? {} : { faults: options.faults }),
  });
  const space: SpaceRecord = {
    format: 1,
    partitions: options.partitions ?? 4,
    hash: "fnv1a-mix32",
    historyDepth,
    identity: { core: "memory", ingress: "memory" },
  };
  const settings = options.settings ?? {};
  const nodes: TestNode[] = [];
  const sleepers: Sleeper[] = [];

  const run = async <A>(promise: Promise<A>): Promise<A> => {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await time.runUntil(() => isSettled);
    return promise;
  };

  const startNode: TestSystem["startNode"] = async (given = {}) => {
    const name = given.name ?? `node-${nodes.length + 1}`;
    const connection = broker.connect(name);
    const random = time.random.fork(`node ${name} ${nodes.length}`);
    let isFrozen = false;
    let isCrashed = false;
    let planned: { readonly point: FaultPoint; left: number } | undefined;
    const node = new ActorNode({
      log: connection.log,
      spaceName,
      space,
      definitions: given.actors ?? options.actors,
      work: {
        activities: chooseActivities(given.actors ?? options.actors, given.activities ?? options.activities),
        workQueue: connection.workQueue,
        ingressLimits: connection.log.limits,
      },
      node: name,
      settings,
      time: connection.time,
      random: () => random.next(),
      onEvent: (event) => options.onEvent?.(event, name),
      ...(options.onDeadLetter === undefined ? {} : { onDeadLetter: options.onDeadLetter }),
      fault: (point) => {
        if (planned?.point === point && --planned.left <= 0) crash();
      },
    });
    const crash = (): void => {
      isCrashed = true;
      connection.sever();
      node.abandon();
    };
    const testNode: TestNode = {
      name,
      get isCrashed() {
        return isCrashed;
      },
      stats: () => node.stats(),
      crash,
      crashAt: (point, count = 1) => {
        planned = { point, left: count };
      },
      freeze: () => {
        isFrozen = true;
        connection.freeze();
      },
      thaw: () => {
        isFrozen = false;
        connection.thaw();
      },
      stop: () => node.stop(),
    };
    nodes.push(testNode);
    sleepers.push({
      get isFrozen() {
        return isFrozen;
      },
      freeze: testNode.freeze,
      thaw: testNode.thaw,
    });
    await run(node.start());
    return testNode;
  };

  for (let i = 0; i < (options.nodes ?? 1); i++) await startNode();
  const client = connectClient(broker.connect("client"), time, space, options.actors);
  return {
    time,
    broker,
    client,
    nodes,
    startNode,
    run,
    advance: (ms) => passTime(ms, time, broker, spaceName, () => sleepers),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const cancel = time.after(ms, resolve);
        signal?.addEventListener("abort", () => {
          cancel();
          reject(signal.reason);
        });
      }),
    stop: async () => {
      await run(client.close());
      for (const node of nodes) await run(node.stop());
    },
  };
}

function chooseActivities(
  actors: readonly AnyActorDefinition[],
  besides: NodeOptions["activities"],
): RunnableActivity[] {
  const problems: string[] = [];
  const activities = activitiesFor(actors, besides, problems);
  refuseProblems("Cannot start a node", problems);
  return activities;
}

function connectClient(
  connection: MemoryConnection,
  time: VirtualTime,
  space: SpaceRecord,
  actors: readonly AnyActorDefinition[],
): Client {
  const random = time.random.fork("client");
  return createClient({
    log: connection.log,
    space,
    spaceName,
    time: connection.time,
    actors,
    random: () => random.next(),
    clientId: "test-client",
  });
}
