/** Runs sagas made of models in a test system, as workflows. */
import { afterEach } from "vitest";
import { type AnyActorDefinition, defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import type { FaultPoint } from "../../runtime/engine/faults.ts";
import type { RunFacts } from "../../runtime/machine/driver.ts";
import { sagaMachine } from "../../workflows/saga/machine.ts";
import type { Doing, SagaModel } from "../../workflows/saga/model.ts";

let system: TestSystem | undefined;
afterEach(async () => {
  await system?.stop();
  system = undefined;
});

function sagaActor(given: SagaModel) {
  const definition = defineActor(given.name, {
    machine: sagaMachine(given).machine as any,
    input: () => ({}) as never,
  });
  const runs = { makeInput: (input: unknown, run: RunFacts) => ({ input, run }) };
  return { ...definition, runs } as typeof definition;
}

export async function started(given: SagaModel, others: AnyActorDefinition[] = [], crash?: FaultPoint) {
  const order = sagaActor(given);
  system = await createTestSystem({
    actors: [order as AnyActorDefinition, ...others],
    nodes: crash === undefined ? 1 : 2,
  });
  if (crash !== undefined) system.nodes[0]?.crashAt(crash, 2);
  const { client, run } = system;
  const ref = order.ref("7");
  await run(client.create(ref, { n: 1 } as never));
  const until = async (holds: (view: any) => boolean): Promise<any> =>
    run(client.waitFor(ref, holds as never, { timeout: 3_600_000 }) as Promise<unknown>);
  return { system, client, run, ref, until, ended: () => until((view) => view.status !== "active") };
}

export function handled(run: (given: any) => unknown): Doing {
  return { kind: "handler", run };
}

export const never = { maxAttempts: 1 };
