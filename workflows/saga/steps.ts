/**
 * The states of steps on the way forward, which differ by where they stand.
 *
 * 1. A step before the pivot is left for `halt` when it fails, and may settle when the saga is turned round meanwhile (S4).
 * 2. The pivot turns the saga round only when it is known not to have happened, or can be undone; else it is stuck, as what comes after it is (S6).
 * 3. A step is on record as begun in the transition that asks for it (S1).
 */
import { cancel } from "xstate";
import { WaitTimeoutError } from "../../runtime/core/errors.ts";
import { timeoutEvent } from "../../runtime/core/run-events.ts";
import { begin, both, change, decided, failed, type SagaEvent, succeed, turn } from "./changes.ts";
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
import type { AnyScope, StepNode } from "./model.ts";
import { outcomeOf } from "./outcome.ts";
import type { SagaContext } from "./progress.ts";

/** Draws a step. */
export function stepState(drawing: Drawing, step: StepNode, place: Place): StateConfig {
  const { halt } = place;
  if (halt === undefined) return lateStep(drawing, step, place);
  return step.isPivot ? pivotState(drawing, step, { ...place, halt }) : earlyStep(drawing, step, { ...place, halt });
}

function describe({ name, isPivot, undo, isIrreversible }: StepNode, isLate: boolean): StateConfig {
  const kind = isPivot ? "pivot" : "step";
  const undone =
    undo !== undefined
      ? "is undone when the saga turns round"
      : isIrreversible
        ? "is not undone"
        : "leaves nothing to undo";
  const what = isPivot
    ? "once it is done there is no way back"
    : isLate
      ? "past the pivot, it only goes forward"
      : undone;
  return { description: `${isPivot ? "Pivot" : "Step"} "${name}": ${what}.`, meta: { step: name, kind } };
}

function beginAction(name: string): unknown {
  return change((context) => begin(context, name));
}

function invokeStep(
  drawing: Drawing,
  step: StepNode,
  result: readonly string[],
  then: { onDone: unknown; onError: unknown },
): StateConfig {
  const { name } = step;
  const rules = {
    activity: `${drawing.model.name}-${name}`,
    tail: `do.${name}`,
    retry: step.retry ?? drawing.model.retry,
    ownRetry: step.retry,
    attemptTimeoutMs: step.attemptTimeoutMs,
    isFatal: step.isFatal,
  };
  const scope = (context: SagaContext): AnyScope => scopeOf(context, result.slice(0, -1));
  return invokeOf(drawing, `do ${name}`, step.do, rules, scope, then);
}

function after(delayMs: number | undefined, transition: unknown): StateConfig {
  return delayMs === undefined ? {} : { after: { [delayMs]: transition } };
}

function tooLate(saga: string, { name, timeoutMs }: StepNode): Error {
  return new WaitTimeoutError(`Step "${name}" of saga "${saga}" did not end within ${timeoutMs} ms: it was left.`, {
    details: { saga, step: name, timeoutMs },
  });
}

function earlyStep(
  drawing: Drawing,
  step: StepNode,
  { path, result, next, halt }: Place & { halt: string },
): StateConfig {
  const { name } = step;
  const done = change((context, event) => succeed(context, name, result, event.output));
  const fails = (outcome: (event: SagaEvent) => "unknown" | "refused", error: (event: SagaEvent) => unknown): unknown =>
    change((context, event) =>
      both(context, failed(context, name, outcome(event), error(event)), (after) =>
        turn(after, { kind: "failure", step: name, error: error(event) }),
      ),
    );
  return {
    ...describe(step, false),
    entry: beginAction(name),
    invoke: invokeStep(drawing, step, result, {
      onDone: [
        { guard: isTurning, target: halt, actions: done },
        { target: next, actions: done },
      ],
      onError: {
        target: halt,
        actions: fails(
          (event) => outcomeOf(event, step.isFatal),
          (event) => event.error,
        ),
      },
    }),
    initial: "running",
    states: {
      running: {
        always: { guard: isTurning, target: at(drawing, [...path, "settling"]) },
        ...after(step.timeoutMs, {
          target: halt,
          actions: fails(
            () => "unknown",
            () => tooLate(drawing.model.name, step),
          ),
        }),
      },
      settling: {
        description: "The saga was turned round: the step may still come to its end, and is then left.",
        ...after(drawing.model.settleMs, {
          target: halt,
          actions: change((context) => failed(context, name, "unknown")),
        }),
      },
    },
  };
}

function pivotState(
  drawing: Drawing,
  step: StepNode,
  { path, result, next, halt }: Place & { halt: string },
): StateConfig {
  const { name } = step;
  const turnRound = (context: SagaContext, error: unknown) =>
    turn(context, context.wish ?? { kind: "failure", step: name, error });
  const pass = (context: SagaContext, event: SagaEvent, value: unknown) =>
    both(context, decided(context, name, event), (after) => ({
      ...succeed(after, name, result, value),
      isPastPivot: true,
    }));
  const isUndone = step.undo !== undefined && step.undoOn !== "done";
  const unknown = (errorOf: (event: SagaEvent) => unknown): StateConfig => ({
    target: isUndone ? halt : at(drawing, [...path, "stuck"]),
    actions: change((context, event) => {
      const left = failed(context, name, "unknown", errorOf(event));
      return isUndone ? both(context, left, (after) => turnRound(after, errorOf(event))) : left;
    }),
  });
  return {
    ...describe(step, false),
    entry: cancel(timeoutEvent),
    initial: "running",
    states: {
      running: {
        entry: beginAction(name),
        invoke: invokeStep(drawing, step, result, {
          onDone: { target: next, actions: change((context, event) => pass(context, event, event.output)) },
          onError: [
            {
              guard: ({ event }: Moment) => outcomeOf(event, step.isFatal) === "refused",
              target: halt,
              actions: change((context, { error }) =>
                both(context, failed(context, name, "refused", error), (after) => turnRound(after, error)),
              ),
            },
            unknown((event) => event.error),
          ],
        }),
        ...after(
          step.timeoutMs,
          unknown(() => tooLate(drawing.model.name, step)),
        ),
      },
      stuck: stuckState(
        name,
        `Whether the pivot "${name}" happened is not known, and it cannot be undone. saga.retry tries it again, saga.done takes it for done, saga.skip takes it for not done and undoes the rest.`,
        (context) => context.steps[name]?.error,
        {
          retry: { target: "running", actions: change((context, event) => decided(context, name, event)) },
          done: { target: next, actions: change((context, event) => pass(context, event, event.result)) },
          skip: {
            target: halt,
            actions: change((context, event) =>
              both(context, decided(context, name, event, "refused"), (after) =>
                turnRound(after, after.steps[name]?.error),
              ),
            ),
          },
        },
      ),
    },
  };
}

function lateStep(drawing: Drawing, step: StepNode, { path, result, next }: Place): StateConfig {
  const { name } = step;
  const stuck = at(drawing, [...path, "stuck"]);
  const done = (context: SagaContext, event: SagaEvent, value: unknown) =>
    both(context, decided(context, name, event), (after) => succeed(after, name, result, value));
  return {
    ...describe(step, true),
    initial: "running",
    states: {
      running: {
        entry: beginAction(name),
        invoke: invokeStep(drawing, step, result, {
          onDone: { target: next, actions: change((context, event) => done(context, event, event.output)) },
          onError: {
            target: stuck,
            actions: change((context, event) => failed(context, name, outcomeOf(event, step.isFatal), event.error)),
          },
        }),
        ...after(step.timeoutMs, {
          target: stuck,
          actions: change((context) => failed(context, name, "unknown", tooLate(drawing.model.name, step))),
        }),
      },
      stuck: stuckState(
        name,
        `Step "${name}" has failed past the pivot, from where there is no way back. saga.retry tries it again, saga.done takes it for done, saga.skip goes on without it.`,
        (context) => context.steps[name]?.error,
        {
          retry: { target: "running", actions: change((context, event) => decided(context, name, event)) },
          done: { target: next, actions: change((context, event) => done(context, event, event.result)) },
          skip: { target: next, actions: change((context, event) => decided(context, name, event, "skipped")) },
        },
      ),
    },
  };
}
