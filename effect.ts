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
export { defineActivity, defineActor, publish, reply, tell } from "./index.ts";
