/** All scenarios that have to do with actors: children, messages between them, what they emit. */
import type { Scenario } from "../../scenarios/scenario.ts";
import { scenarios as actions } from "./actions.ts";
import { scenarios as callbacks } from "./callbacks.ts";
import { scenarios as delays } from "./delays.ts";
import { scenarios as emits } from "./emits.ts";
import { scenarios as invokeMachine } from "./invoke-machine.ts";
import { scenarios as invokePromise } from "./invoke-promise.ts";
import { scenarios as messages } from "./messages.ts";
import { scenarios as observables } from "./observables.ts";
import { scenarios as promiseErrors } from "./promise-errors.ts";
import { scenarios as references } from "./references.ts";
import { scenarios as snapshots } from "./snapshots.ts";
import { scenarios as spawnMachine } from "./spawn-machine.ts";
import { scenarios as spawnPromise } from "./spawn-promise.ts";
import { scenarios as systems } from "./systems.ts";
import { scenarios as transitionLogic } from "./transition-logic.ts";
import { scenarios as trees } from "./trees.ts";

export const actorScenarios: readonly Scenario[] = [
  ...invokePromise,
  ...promiseErrors,
  ...spawnPromise,
  ...invokeMachine,
  ...spawnMachine,
  ...messages,
  ...trees,
  ...transitionLogic,
  ...snapshots,
  ...systems,
  ...references,
  ...callbacks,
  ...observables,
  ...emits,
  ...delays,
  ...actions,
];
