/**
 * The machine of a schedule: which turn is taken when, and how what a turn wants done becomes a machine's actions.
 *
 * 1. A run is a child that starts a workflow, or finds it, and is done when it ends: nothing polls.
 * 2. The time of a turn is the step's time.
 */
import { enqueueActions, setup } from "xstate";
import type { AnyMachine } from "../../actors/define-actor.ts";
import { reply } from "../../runtime/machine/actions.ts";
import { now } from "../../runtime/machine/step-time.ts";
import { runWorkflow } from "../run-workflow.ts";
import type { OverlapPolicy, ScheduleRules } from "./schedule-options.ts";
import { childPolicy, type Effect, newContext, type ScheduleContext, Turn } from "./schedule-turns.ts";

/** What a schedule is told by its client. */
export type ScheduleEvent =
  /** It was started again: with other times its timer is set anew, and one that was removed begins again. */
  | { readonly type: "schedule.start" }
  | { readonly type: "schedule.pause"; readonly note?: string }
  | { readonly type: "schedule.resume" }
  | { readonly type: "schedule.trigger"; readonly overlap?: OverlapPolicy }
  /** Times are milliseconds since 1970, both included. */
  | {
      readonly type: "schedule.backfill";
      readonly from: number;
      readonly to: number;
      readonly overlap?: OverlapPolicy;
    }
  | { readonly type: "schedule.remove" };

// What only the machine tells itself.
type OwnEvent =
  | { readonly type: "schedule.tick" }
  | { readonly type: "schedule.window" }
  | { readonly type: "xstate.done.actor.*"; readonly actorId: string }
  | { readonly type: "xstate.error.actor.*"; readonly actorId: string; readonly error: unknown };

const tickTimer = "tick";
const windowTimer = "window";

/** Makes the machine of a schedule. */
export function scheduleMachine(rules: ScheduleRules): AnyMachine {
  const { name, workflow, overlap } = rules;
  const turn = (take: (turn: Turn, event: ScheduleEvent | OwnEvent) => void) =>
    enqueueActions(({ context, event, enqueue }) => {
      // Nobody else makes the context, and the door lets no other events through.
      const taken = new Turn(context as unknown as ScheduleContext, rules, now());
      take(taken, event as unknown as ScheduleEvent | OwnEvent);
      enqueue.assign(taken.context);
      for (const effect of taken.effects) enact(effect, enqueue as unknown as Enqueue);
      // XState asks of an action of a setup that it knows the names of that setup's actors.
    }) as never;
  const definition = setup({
    actors: {
      run: runWorkflow(workflow, { onParentClose: childPolicy(overlap) }),
      heir: runWorkflow(workflow, { onParentClose: "abandon" }),
    },
    actions: {
      tick: turn((taken) => taken.tick()),
      pump: turn((taken) => taken.pump()),
      arm: turn((taken) => taken.arm()),
      resume: turn((taken) => taken.resume()),
      restart: turn((taken) => taken.restart()),
      remove: turn((taken) => taken.remove()),
      ended: turn((taken, event) => {
        const { actorId, type } = event as Extract<OwnEvent, { readonly actorId: string }>;
        const isError = type.startsWith("xstate.error.");
        taken.ended(actorId, isError ? { error: (event as { readonly error?: unknown }).error } : {});
      }),
      pause: turn((taken, event) => taken.pause((event as { readonly note?: string }).note)),
      trigger: turn((taken, event) => taken.trigger((event as { readonly overlap?: OverlapPolicy }).overlap)),
      backfill: turn((taken, event) => {
        const { from, to, overlap: policy = "queue" } = event as Extract<ScheduleEvent, { type: "schedule.backfill" }>;
        taken.backfill(from, to, policy);
      }),
    },
  });
  const whileThere = {
    "schedule.trigger": { actions: "trigger" },
    "schedule.backfill": { actions: "backfill" },
    "schedule.window": { actions: "pump" },
    "schedule.remove": { target: "removed", actions: "remove" },
  } as const;
  return definition.createMachine({
    id: "schedule",
    // A root actor's id is its address.
    context: ({ self }) => ({ ...newContext(self.id.slice(name.length + 1), now()) }),
    initial: "active",
    on: {
      "xstate.done.actor.*": { actions: "ended" },
      "xstate.error.actor.*": { actions: "ended" },
    },
    states: {
      active: {
        entry: "arm",
        on: {
          ...whileThere,
          "schedule.tick": { actions: "tick" },
          "schedule.start": { actions: "arm" },
          "schedule.pause": { target: "paused", actions: "pause" },
        },
      },
      paused: {
        on: {
          ...whileThere,
          "schedule.pause": { actions: "pause" },
          "schedule.resume": { target: "active", actions: "resume" },
        },
      },
      removed: { on: { "schedule.start": { target: "active", actions: "restart" } } },
    },
  }) as unknown as AnyMachine;
}

// As much of XState's own as is needed here; its type knows neither the names of the actors nor the events of one schedule.
interface Enqueue {
  (action: unknown): void;
  spawnChild(src: string, options: { readonly id: string; readonly input: unknown }): void;
  stopChild(id: string): void;
  raise(event: OwnEvent, options: { readonly id: string; readonly delay: number }): void;
  cancel(id: string): void;
}

function enact(effect: Effect, enqueue: Enqueue): void {
  switch (effect.do) {
    case "spawn": {
      const { child, key, input, isHeir } = effect;
      enqueue.spawnChild(isHeir === true ? "heir" : "run", { id: child, input: { key, input } });
      return;
    }
    case "stop":
      enqueue.stopChild(effect.child);
      return;
    case "wake":
      enqueue.cancel(tickTimer);
      if (effect.delayMs !== undefined)
        enqueue.raise({ type: "schedule.tick" }, { id: tickTimer, delay: effect.delayMs });
      return;
    case "window":
      enqueue.cancel(windowTimer);
      enqueue.raise({ type: "schedule.window" }, { id: windowTimer, delay: 0 });
      return;
    case "reply":
      enqueue(reply(effect.value as never));
  }
}
