/**
 * Waiting for an event: it may have come before, and what is done while it does not come.
 *
 * 1. The first event of its type counts, whenever it comes; a later one is ignored, and so is one that comes when the waiting is over.
 * 2. An escalation that fails shows in the state, and changes nothing else.
 */
import { WaitTimeoutError } from "../../runtime/core/errors.ts";
import { both, change, decided, failed, hasResult, keep, type SagaEvent, turn } from "./changes.ts";
import {
  at,
  type Drawing,
  invokeOf,
  isTurning,
  type Moment,
  type Place,
  type StateConfig,
  scopeOf,
  stuckState,
} from "./drawing.ts";
import type { AnyScope, SagaNode, WaitNode } from "./model.ts";
import type { SagaContext } from "./progress.ts";

/** The transitions by which early events are kept, by type. `resultOf` says where the results of waits are. */
export function earlyEvents(
  waits: ReadonlyArray<{ readonly node: WaitNode; readonly result: readonly string[] }>,
): StateConfig {
  return Object.fromEntries(
    waits.map(({ node: { name }, result }) => [
      name,
      {
        guard: ({ context }: Moment): boolean =>
          context.direction === "forward" &&
          !Object.hasOwn(context.received, name) &&
          !hasResult(context, result) &&
          context.steps[name]?.state !== "skipped" &&
          context.steps[name]?.state !== "done",
        actions: change((context, { type: _, ...carried }) => ({ received: { ...context.received, [name]: carried } })),
      },
    ]),
  );
}

/** The awaited events of a saga, with the places of their results. */
export function waitsOf(
  nodes: readonly SagaNode[],
  resultOf: (node: SagaNode) => readonly string[],
  below: readonly string[],
): Array<{ readonly node: WaitNode; readonly result: readonly string[] }> {
  return nodes.flatMap((node) => {
    if (node.kind === "step") return [];
    if (node.kind === "wait") return [{ node, result: resultOf(node) }];
    return node.branches.flatMap((branch) => {
      const here = [...below, branch.name];
      return waitsOf(branch.nodes, (inner) => (branch.isSingle ? here : [...here, inner.name]), here);
    });
  });
}

/** Draws the state of a wait. */
export function waitState(drawing: Drawing, node: WaitNode, { path, result, next, halt }: Place): StateConfig {
  const { name, withinMs, otherwise } = node;
  const within = result.slice(0, -1);
  const isHere = ({ context }: Moment): boolean => Object.hasOwn(context.received, name);
  const take = change((context) =>
    both(context, keep(context, result, context.received[name]), (after) => settled(after, name)),
  );
  const arrived = { guard: isHere, target: next, actions: take };
  const turned = halt === undefined ? [] : [{ guard: isTurning, target: halt }];
  const late = () =>
    new WaitTimeoutError(`"${name}" did not come to saga "${drawing.model.name}" within ${withinMs} ms.`, {
      details: { saga: drawing.model.name, event: name, withinMs },
    });
  const overAt = (): StateConfig => {
    if (otherwise.kind === "go-on") {
      return {
        target: next,
        actions: change((context) => keep(context, result, otherwise.result(scopeOf(context, within)))),
      };
    }
    return halt === undefined
      ? {
          target: at(drawing, [...path, "stuck"]),
          actions: change((context) => failed(context, name, "refused", late())),
        }
      : { target: halt, actions: change((context) => turn(context, { kind: "failure", step: name, error: late() })) };
  };
  const describe = {
    description: `Waits for "${name}"${withinMs === undefined ? "" : `, for at most ${withinMs} ms`}.`,
    meta: { step: name, kind: "wait" },
  };
  const waiting = {
    always: [...turned, arrived],
    ...(withinMs === undefined ? undefined : { after: { [withinMs]: overAt() } }),
    ...escalationsOf(drawing, node, within),
  };
  const canBeStuck = halt === undefined && withinMs !== undefined && otherwise.kind === "fail";
  if (!canBeStuck) return { ...describe, ...waiting };
  const goOn = (state: "done" | "skipped") => (context: SagaContext, event: SagaEvent) =>
    both(context, decided(context, name, event, state), (after) =>
      state === "done" ? keep(after, result, event.result) : {},
    );
  return {
    ...describe,
    initial: "waiting",
    states: {
      waiting,
      stuck: {
        ...stuckState(
          name,
          `"${name}" did not come in time, past the pivot, from where there is no way back. saga.retry waits anew, saga.done goes on with its result, saga.skip goes on without.`,
          (context) => context.steps[name]?.error,
          {
            retry: { target: "waiting", actions: change((context, event) => decided(context, name, event)) },
            done: { target: next, actions: change(goOn("done")) },
            skip: { target: next, actions: change(goOn("skipped")) },
          },
        ),
        always: arrived,
      },
    },
  };
}

/** A wait is on record only where it was stuck: then it is so no more. */
function settled(context: SagaContext, name: string) {
  return context.steps[name] === undefined ? {} : decided(context, name, { type: name }, "done");
}

function escalationsOf(drawing: Drawing, { name, escalations }: WaitNode, within: readonly string[]): StateConfig {
  if (escalations.length === 0) return {};
  const scope = (context: SagaContext): AnyScope => scopeOf(context, within);
  const regions = escalations.map(({ afterMs, do: doing }, i) => {
    const word = name.replaceAll(/[^A-Za-z0-9_-]/g, "-");
    const rules = {
      activity: `${drawing.model.name}-${word}-escalate-${i + 1}`,
      tail: `escalate.${word.slice(0, 60)}.${i + 1}`,
      retry: drawing.model.retry,
      ownRetry: undefined,
      attemptTimeoutMs: undefined,
      isFatal: () => false,
    };
    const then = { onDone: "done", onError: "failed" };
    const region = {
      initial: "pending",
      states: {
        pending: { after: { [afterMs]: "running" } },
        running: { invoke: invokeOf(drawing, `escalate ${name} ${i + 1}`, doing, rules, scope, then) },
        done: {},
        failed: { description: "The escalation has failed; nothing else follows from it." },
      },
    };
    return [`escalation-${i + 1}`, region] as const;
  });
  return { type: "parallel", states: Object.fromEntries(regions) };
}
