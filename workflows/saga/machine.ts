/**
 * The machine of a saga: a plain XState machine, made of the saga's model.
 *
 * S1 a step is on record as begun in the commit that asks for it.
 * S2 when the saga turns round (a step has failed, a cancel, the timeout), every step that was begun and may have happened is undone, in reverse order; branches side by side.
 * S3 a step's outcome is `done` when its result has arrived, `refused` when it is known that nothing was done, and `unknown` otherwise; in doubt it is undone.
 * S4 once it turns round no step begins; steps under way may come to their end for a while, and are then left as unknown.
 * S5 an undo that has failed for good is stuck: it leaves a letter and waits for an operator, while other branches go on.
 * S6 once the pivot is done there is no way back: what fails for good is stuck, a cancel is refused, and the timeout does not count.
 * S7 a cancel is taken in every state, and a second one changes nothing.
 * S8 what is done has one idempotency key for each run, and so has what undoes it, whoever tries it again.
 */
import { type AnyStateMachine, cancel, raise, setup } from "xstate";
import { cancelEvent, timeoutEvent } from "../../runtime/core/run-events.ts";
import { reply } from "../../runtime/machine/actions.ts";
import type { RunFacts } from "../../runtime/machine/driver.ts";
import { compensatingTag } from "../workflow-status.ts";
import { cancelCause, change, turn } from "./changes.ts";
import { type Drawing, isTurning, type Moment, type StateConfig } from "./drawing.ts";
import { outputOf } from "./ending.ts";
import { chainOf, resultPath } from "./forward.ts";
import { type SagaModel, type SagaNode, stepsOf } from "./model.ts";
import { checkModel } from "./model-check.ts";
import type { SagaContext } from "./progress.ts";
import { undoChain } from "./undoing.ts";
import { earlyEvents, waitsOf } from "./waiting.ts";

/** The machine of a saga, whose input is `{ input, run }`: the saga's own, and the facts of the run. */
export interface SagaMachine {
  readonly machine: AnyStateMachine;
}

/**
 * Makes the machine of a saga.
 *
 * Details: its states have `meta` with `step` and `kind`; those of a saga that is turned round the tag `compensating`, and those in which an operator has to decide the tag `stuck`.
 *
 * Errors: `InvalidDefinitionError` naming every name that cannot be used, and a pivot that stands within a branch; those of `defineActivity`.
 */
export function sagaMachine(model: SagaModel): SagaMachine {
  checkModel(model);
  const { name, nodes } = model;
  const pivot = nodes.find((node) => node.kind === "step" && node.isPivot);
  const drawing: Drawing = { model, pivot: pivot?.kind === "step" ? pivot : undefined, actors: {} };
  const resultOf = (node: SagaNode): readonly string[] => resultPath(node, []);
  const forward = chainOf(drawing, nodes, [], resultOf, "completed", `#${name}.undoing`);
  const back = undoChain(drawing, nodes, ["undoing"], resultOf, [], "done");
  const config = {
    id: name,
    description: `Saga "${name}".`,
    context: ({ input }: { readonly input: { readonly input: unknown; readonly run: RunFacts } }): SagaContext => ({
      input: input.input,
      run: input.run,
      results: {},
      steps: {},
      received: {},
      direction: "forward",
      isPastPivot: false,
    }),
    initial: forward.initial,
    ...(model.timeoutMs === undefined
      ? undefined
      : { entry: raise({ type: timeoutEvent }, { id: timeoutEvent, delay: model.timeoutMs }) }),
    on: {
      ...earlyEvents(waitsOf(nodes, resultOf, [])),
      [cancelEvent]: cancelling(drawing),
      [timeoutEvent]: [
        { guard: canTurn(drawing), actions: change((context) => turn(context, { kind: "timeout" })) },
        // It was taken, and means nothing any more.
        {},
      ],
    },
    states: {
      ...forward.states,
      completed: { type: "final", description: "All of it is done." },
      undoing: {
        description: "The saga was turned round, and what it has done is undone.",
        tags: [compensatingTag],
        entry: cancel(timeoutEvent),
        initial: back.initial,
        states: { ...back.states, done: { type: "final" } },
        onDone: "undone",
      },
      undone: { type: "final", description: "What was done is undone." },
    },
    output: ({ context }: Moment) => outputOf(model, context),
    // Passing a step takes a few microsteps, and one event may pass them all.
    options: { maxIterations: 1000 + 10 * stepsOf(nodes).length },
  };
  // A machine that is generated has no types of its own: what XState would infer of the configuration is not known here.
  const machine = setup({ actors: drawing.actors as never }).createMachine(config as never);
  return { machine: machine as unknown as AnyStateMachine };
}

/** True while the way back is open: the pivot was not begun. */
function canTurn({ pivot }: Drawing) {
  return ({ context }: Moment): boolean =>
    context.direction === "forward" && (pivot === undefined || context.steps[pivot.name] === undefined);
}

function cancelling(drawing: Drawing): StateConfig[] {
  const { pivot } = drawing;
  const yes = reply({ isRefused: false });
  return [
    { guard: canTurn(drawing), actions: [change((context, event) => turn(context, cancelCause(event))), yes] },
    { guard: isTurning, actions: yes },
    {
      guard: ({ context }: Moment) => !context.isPastPivot,
      actions: [
        change((context, event) => (context.wish === undefined ? { wish: cancelCause(event) } : {})),
        reply({
          isRefused: true,
          why: `the pivot "${pivot?.name}" is under way: it is cancelled only if the pivot turns out not to have happened`,
        }),
      ],
    },
    { actions: reply({ isRefused: true, why: `the pivot "${pivot?.name}" is done: there is no way back` }) },
  ];
}
