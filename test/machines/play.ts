/** Plays a script on Statewright, and says what was seen. */
import { type AnyActorDefinition, defineActor } from "../../actors/define-actor.ts";
import type { FaultPoint } from "../../runtime/engine/faults.ts";
import { compare, type Observation } from "../scenarios/compare.ts";
import { type Expectation, hour, type Scenario } from "../scenarios/scenario.ts";
import type { MachineSpace } from "./space.ts";

/** A script made ready to be played: its machine as an actor type. */
export interface Role {
  readonly scenario: Scenario;
  readonly definition: AnyActorDefinition;
  readonly trace: unknown[];
}

/** Makes an actor type of a script's machine. */
export function roleOf(scenario: Scenario, type: string): Role {
  const trace: unknown[] = [];
  const machine = scenario.machine({ trace: (note) => void trace.push(note) });
  return { scenario, definition: defineActor(type, { machine, input: () => scenario.input }), trace };
}

/**
 * What is done to a space while a script is played in it. Nothing of it may show in what the actor does.
 *
 * `hand-over`: in the middle the owner is stopped as an operator does, and another node goes on. `litter`: in the middle bytes that are no message
 * come for the actor. `flaky-door`: the check of the first event throws, once.
 */
export type Disturbance = "hand-over" | "litter" | "flaky-door";

/** Points that a node does not come to by itself while a script is played, and what brings it there. */
export const provoked: Partial<Record<FaultPoint, Disturbance>> = {
  drained: "hand-over",
  "letter.before": "litter",
  retry: "flaky-door",
};

/** A script without what a crash may take away: custom actions and log lines run after the commit, at most once. */
export function withoutActions(scenario: Scenario): Scenario {
  const steps = scenario.steps.map((step) => {
    if (!("expect" in step)) return step;
    const { trace: _trace, logged: _logged, ...expect } = step.expect;
    return { expect };
  });
  return { ...scenario, steps };
}

/** Returns in words how an actor ended otherwise than it did in another run; empty when it did not. */
export function compareEnds(one: Observation, other: Observation): string[] {
  const { trace: _trace, logged: _logged, error, ...fields } = one;
  const { name, message } = (error ?? {}) as Partial<Error>;
  const expectation = error === undefined ? fields : { ...fields, error: { name, message } };
  return compare(expectation as Expectation, other);
}

/** Plays a script with an actor of the given id; returns an observation for every `expect`, in order, and one of the end. */
export async function play(
  space: MachineSpace,
  { scenario, definition, trace }: Role,
  id: string,
  disturbances: readonly Disturbance[] = [],
): Promise<Observation[]> {
  const { client } = space;
  const actor = definition.ref(id);
  const observe = (): Observation => ({
    ...space.witness.observe(actor),
    trace: [...trace],
    logged: [...space.logged],
  });
  const observations: Observation[] = [];
  space.isDoorFlaky = disturbances.includes("flaky-door");
  await space.run(client.create(actor, scenario.input as never));
  await space.rest();
  for (const [i, step] of scenario.steps.entries()) {
    if (i === Math.floor(scenario.steps.length / 2)) {
      for (const disturbance of disturbances) {
        if (disturbance === "hand-over") await space.handOver();
        if (disturbance === "litter") await space.litter(actor);
      }
      await space.rest();
    }
    if ("send" in step) {
      await space.run(client.send(actor, step.send as never));
      await space.rest();
    } else if ("hours" in step) {
      await space.pass((step.hours + 0.5) * hour);
    } else {
      observations.push(observe());
    }
  }
  return [...observations, observe()];
}
