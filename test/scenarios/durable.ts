/**
 * Runs scenarios on Statewright: a system in memory, under virtual time, as it is or with a crash between every two steps.
 *
 * 1. `crash`: after each step, when all is at rest, the node's process is killed and started again, with a machine that is made anew: what is not in
 *    the log is gone. Trace, log lines and emitted events are gathered outside of the node, over all its lives.
 * 2. Hours in which no timer is due pass while the process is stopped, as by SIGSTOP, or dead: a running node does too much in an hour. It is awake
 *    in good time before each timer.
 * 3. A process that comes back under its old name takes its partitions at once, so that leases do not matter and may be long.
 */
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestNode } from "../../actors/test-system.ts";
import type { ActorView } from "../../actors/view.ts";
import type { Address } from "../../runtime/core/address.ts";
import { decodeRecord, type StateRecord } from "../../runtime/core/records.ts";
import type { NodeEvent } from "../../runtime/engine/telemetry.ts";
import type { Observation } from "./compare.ts";
import { hour, type Scenario, type ScenarioEvent, type ScenarioWorld } from "./scenario.ts";

/** `straight`: one node from beginning to end. `crash`: the node crashes between every two steps. */
export type DurableMode = "straight" | "crash";

const day = 24 * hour;
const settings = { heartbeatMs: 3_000 * day, leaseMs: 9_000 * day };
const chunkMs = 25;
const longestRestMs = 10_000;
const allTasks = "sw.test.core.*.task.>";
const allWaiting = "sw.test.core.*.wait.>";
const allStates = "sw.test.core.*.state.>";
/** So long before a timer is due the node is awake. */
const aheadMs = 1000;

/** What should not happen in a scenario, and explains what follows from it. */
const complaints = new Set(["message.dead", "action.failed", "node.failed", "actor.parked", "record.unreadable"]);

/** Returns an observation for every `expect` of the scenario, in order. Throws when a message dies or an action fails. */
export async function runDurable(scenario: Scenario, mode: DurableMode): Promise<Observation[]> {
  const trace: unknown[] = [];
  const logged: unknown[] = [];
  const emitted: ScenarioEvent[] = [];
  const wrong: string[] = [];
  const world: ScenarioWorld = { trace: (note) => void trace.push(note) };
  const define = () => defineActor("subject", { machine: scenario.machine(world), input: () => scenario.input });
  const onEvent = ({ name, message, data }: NodeEvent): void => {
    if (name === "actor.log") logged.push(data?.value);
    // A child that fails for good leaves a letter behind; what its parent makes of it is for the scenario to say.
    const isOfChild = name === "message.dead" && String(data?.actor).startsWith("subject/1/~");
    if (complaints.has(name) && !isOfChild) wrong.push(message);
  };
  const definition = define();
  const system = await createTestSystem({ actors: [definition], nodes: 0, partitions: 1, settings, onEvent });
  const { broker, client } = system;
  const start = () => system.startNode({ name: "node", actors: [define()] });
  const ref = definition.ref("1");
  const read = ({ type, id }: Address): Promise<ActorView | undefined> => system.run(client.get({ type, id }));
  let node: TestNode = await start();

  /** Changes with everything that is stored or noted. */
  const pulse = (): number =>
    broker.journal("ingress").length + broker.journal("core").length + trace.length + logged.length + emitted.length;

  /** True while an activity of the actor or of any of its children has not ended. */
  const isWorking = async (target: Address): Promise<boolean> => {
    if (broker.journal("core", allTasks).length === 0) return false;
    for (const child of (await read(target))?.children ?? []) {
      if (child.kind === "activity" && !child.ended) return true;
      if (child.address !== undefined && (await isWorking(child.address))) return true;
    }
    return false;
  };

  /** True while a message of any actor waits for another attempt, or stands in line behind one. */
  const isWaiting = (): boolean => {
    if (broker.records("core", allWaiting).length === 0) return false;
    const newest = new Map(broker.records("core", allStates).map(({ subject, data }) => [subject, data] as const));
    return [...newest.values()].some((data) => decodeRecord<StateRecord>("a state", data).waiting !== undefined);
  };

  /** Lets time pass until nothing happens any more; activities that never end are not waited for longer than the limit. */
  const rest = async (): Promise<void> => {
    for (let restedMs = 0, calm = 0; calm < 2 && restedMs < longestRestMs; restedMs += chunkMs) {
      const before = pulse();
      await system.advance(chunkMs);
      // Promises of activities settle in real time.
      await new Promise((resolve) => setImmediate(resolve));
      const { queued, pending, partitions } = node.stats();
      const isQuiet = pulse() === before && queued + pending === 0 && partitions.length === 1 && !isWaiting();
      const isCalm = isQuiet && !(await isWorking(ref));
      calm = isCalm ? calm + 1 : 0;
    }
  };

  const fallAsleep = (): void => (mode === "crash" ? node.crash() : node.freeze());

  const wakeUp = async (): Promise<void> => {
    if (mode === "crash") node = await start();
    else node.thaw();
    await rest();
  };

  /** When the next timer of the actor or of any of its children is due. */
  const nextDue = async (target: Address): Promise<number> => {
    const view = await read(target);
    const addresses = view?.children.flatMap(({ address }) => address ?? []) ?? [];
    const dues = [view?.timers[0]?.at ?? Number.POSITIVE_INFINITY];
    for (const address of addresses) dues.push(await nextDue(address));
    return Math.min(...dues);
  };

  const pass = async (hours: number): Promise<void> => {
    const end = system.time.now() + (hours + 0.5) * hour;
    for (let tries = 0; system.time.now() < end; ) {
      const due = await nextDue(ref);
      const waitMs = Math.min(end, due - aheadMs) - system.time.now();
      if (waitMs > 0) {
        tries = 0;
        fallAsleep();
        await system.advance(waitMs);
        await wakeUp();
      } else {
        if (++tries > 100) throw new Error(`"${scenario.name}": a timer that is due does not come.`);
        await system.advance(Math.max(0, due - system.time.now()));
        await rest();
      }
    }
  };

  const observe = async (): Promise<Observation> => {
    const view = await read(ref);
    if (view === undefined) throw new Error(`The actor does not exist: ${wrong.join("; ")}.`);
    const { value, status, context, output, error, tags } = view;
    return {
      value,
      status,
      context,
      output,
      error,
      tags: [...tags].sort(),
      emitted: [...emitted],
      trace: [...trace],
      logged: [...logged],
    };
  };

  const subscription = client.on(ref, "*", (event) => void emitted.push(event as ScenarioEvent), { from: "start" });
  await system.run(subscription.ready);
  await system.run(client.create(ref, scenario.input as never));
  await rest();
  const observations: Observation[] = [];
  for (const step of scenario.steps) {
    if ("expect" in step) {
      observations.push(await observe());
      continue;
    }
    if (mode === "crash") {
      fallAsleep();
      await wakeUp();
    }
    if ("send" in step) await system.run(client.send(ref, step.send as never));
    else await pass(step.hours);
    await rest();
  }
  await system.stop();
  if (wrong.length > 0) throw new Error(`"${scenario.name}": ${wrong.join("; ")}`);
  return observations;
}
