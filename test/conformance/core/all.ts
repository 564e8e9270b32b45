/** All scenarios of the core semantics. */
import type { Scenario } from "../../scenarios/scenario.ts";
import { actions } from "./actions.ts";
import { contexts } from "./context.ts";
import { delays } from "./delays.ts";
import { enqueued } from "./enqueue.ts";
import { eventless } from "./eventless.ts";
import { events } from "./events.ts";
import { final } from "./final.ts";
import { guards } from "./guards.ts";
import { history } from "./history.ts";
import { machines } from "./machines.ts";
import { parallel } from "./parallel.ts";
import { raises } from "./raise.ts";
import { tags } from "./tags.ts";
import { targets } from "./targets.ts";
import { timers } from "./timers.ts";
import { transitions } from "./transitions.ts";
import { values } from "./values.ts";

export const coreScenarios: readonly Scenario[] = [
  ...transitions,
  ...targets,
  ...events,
  ...guards,
  ...actions,
  ...raises,
  ...enqueued,
  ...eventless,
  ...parallel,
  ...history,
  ...final,
  ...contexts,
  ...values,
  ...delays,
  ...timers,
  ...tags,
  ...machines,
];
