/** Statewright for programs written with Effect: the names of `statewright`, returning Effects. */
export {
  connect,
  type EffectClient,
  type EffectNode,
  layer,
  StatewrightClient,
  startNode,
  toEffectClient,
} from "./actors/effect-door.ts";

export {
  ask,
  askActor,
  call,
  continueAs,
  declareActivity,
  defineActivity,
  defineActor,
  defineSchedule,
  defineWorkflow,
  fail,
  implementActivity,
  publish,
  reply,
  runWorkflow,
  saga,
  startWorkflow,
  tell,
  withRetry,
} from "./index.ts";
