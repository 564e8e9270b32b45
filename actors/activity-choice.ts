/** Which activities a node works on. */
import { runnableOf, sameActivity } from "../runtime/engine/activities.ts";
import type { RunnableActivity } from "../runtime/engine/definition.ts";
import type { AnyActivityDefinition } from "./define-activity.ts";
import { type AnyActorDefinition, isActorDefinition } from "./define-actor.ts";

/**
 * Puts together the activities of a node's actors and those that are named besides, each once; adds to `problems` what cannot be one, and two that have
 * the same name.
 *
 * Details: an activity that is only declared is left to others, unless one of its name is implemented here. One that is named itself must be.
 */
export function activitiesFor(
  actors: readonly AnyActorDefinition[],
  besides: ReadonlyArray<AnyActivityDefinition | AnyActorDefinition> | "none" | undefined,
  problems: string[],
): RunnableActivity[] {
  if (besides === "none") return [];
  const chosen = new Map<string, RunnableActivity>();
  const add = (activity: RunnableActivity, where: string): void => {
    if (activity.code === undefined) return;
    const known = chosen.get(activity.name);
    const kept = known === undefined ? activity : sameActivity(known, activity);
    if (kept === undefined)
      problems.push(`${where} has an activity "${activity.name}", and another one has that name already`);
    else chosen.set(kept.name, kept);
  };
  for (const [i, actor] of actors.entries()) for (const each of actor.activities) add(each, `actors[${i}]`);
  if (besides !== undefined && !Array.isArray(besides)) {
    problems.push('activities is no list: use definitions made by defineActivity, or "none"');
    return [];
  }
  const declared: Array<{ readonly name: string; readonly where: string }> = [];
  for (const [i, given] of (besides ?? []).entries()) {
    const where = `activities[${i}]`;
    const activity = runnableOf(given);
    if (activity !== undefined) {
      if (activity.code === undefined) declared.push({ name: activity.name, where });
      add(activity, where);
    } else if (isActorDefinition(given)) for (const each of given.activities) add(each, where);
    else problems.push(`${where} is not a definition made by defineActivity or defineActor`);
  }
  for (const { name, where } of declared) {
    if (!chosen.has(name))
      problems.push(`${where} declares "${name}" without its code: name what implementActivity makes of it`);
  }
  return [...chosen.values()];
}
