/** The logic that XState sees of an activity: a promise actor, as `fromPromise` makes them. */
import { fromPromise, type PromiseActorLogic } from "xstate";
import { type ActivityMeta, markActivity } from "./activity-meta.ts";

/** An activity as XState takes it: in `setup({ actors })`, as an inline `src`, and as logic of a live actor. */
export type ActivityLogic<Output, Input> = PromiseActorLogic<Output, Input>;

/** What a live actor, which is started by XState itself, gives to an activity. */
export interface LiveRun<Input> {
  readonly input: Input;
  readonly signal: AbortSignal;
  /** The actor that asked for it, as XState names it. */
  readonly parent: string;
  /** The activity's name with its actor. */
  readonly id: string;
  /** As XState names this one actor. */
  readonly sessionId: string;
}

/** Makes the logic of an activity; `runLive` is only called where XState itself starts it, in a live actor. */
export function makeActivityLogic<Output, Input>(
  meta: ActivityMeta,
  runLive: (run: LiveRun<Input>) => Promise<Output>,
): ActivityLogic<Output, Input> {
  const logic = fromPromise<Output, Input>(({ input, signal, self }) => {
    const { id, sessionId, _parent: parent } = self;
    return runLive({ input, signal, parent: parent?.id ?? id, id, sessionId });
  });
  return markActivity(logic, meta);
}
