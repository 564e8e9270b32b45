/** What may be sent to a schedule: events of its client, checked whoever sends them. */
import type { EventSchemas } from "../../actors/define-actor.ts";
import type { Schema } from "../../actors/schema.ts";
import { listed, shown } from "../../runtime/supervise/check-options.ts";
import type { ScheduleEvent } from "./schedule-machine.ts";
import { type OverlapPolicy, usablePolicies } from "./schedule-options.ts";

type Payload = Readonly<Record<string, unknown>>;

/** The schemas of a schedule's events; `own` is its policy. */
export function scheduleDoor(own: OverlapPolicy): EventSchemas<ScheduleEvent> {
  const overlap = ({ overlap: given }: Payload): string[] => {
    const problem = overlapProblem(given, own);
    return problem === undefined ? [] : [problem];
  };
  const note = ({ note: given }: Payload): string[] =>
    given === undefined || typeof given === "string" ? [] : [`note is ${shown(given)}: use a text`];
  const times = ({ from, to }: Payload): string[] =>
    Object.entries({ from, to }).flatMap(([name, given]) =>
      Number.isFinite(given) ? [] : [`${name} is ${shown(given)}: use milliseconds since 1970`],
    );
  return {
    "schedule.start": null,
    "schedule.resume": null,
    "schedule.remove": null,
    "schedule.pause": checking(note),
    "schedule.trigger": checking(overlap),
    "schedule.backfill": checking((payload) => [...times(payload), ...overlap(payload)]),
  } as EventSchemas<ScheduleEvent>;
}

/** Says what is wrong with an overlap policy for one tick of a schedule whose own is `own`; undefined: nothing. */
export function overlapProblem(given: unknown, own: OverlapPolicy): string | undefined {
  const usable = usablePolicies(own);
  if (given === undefined || usable.includes(given as OverlapPolicy)) return undefined;
  return `overlap is ${shown(given)}: this schedule can do ${listed(usable)}`;
}

function checking(problemsOf: (payload: Payload) => readonly string[]): Schema {
  return {
    "~standard": {
      version: 1,
      vendor: "statewright",
      validate(value: unknown) {
        const problems = problemsOf(value as Payload);
        return problems.length === 0 ? { value } : { issues: problems.map((message) => ({ message })) };
      },
    },
  };
}
