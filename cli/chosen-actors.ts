/** Which definitions of the modules named on the command line are meant. */
import type { AnyActorDefinition } from "../actors/define-actor.ts";
import { InvalidOptionsError } from "../runtime/core/errors.ts";
import { listed, nearestName } from "../runtime/supervise/check-options.ts";
import { loadDefinitions } from "./load-definitions.ts";

/** Loads modules, and keeps the definition of one type where one is named. Errors: as `loadDefinitions`; `InvalidOptionsError` for a type that is not among them. */
export async function chooseActors(
  modules: readonly string[],
  type: string | undefined,
  cwd: string,
): Promise<readonly AnyActorDefinition[]> {
  const { actors: all } = await loadDefinitions(modules, cwd);
  if (all.length === 0)
    throw new InvalidOptionsError("Cannot find actors in the modules: they only define activities.");
  if (type === undefined) return all;
  const chosen = all.filter((definition) => definition.type === type);
  if (chosen.length > 0) return chosen;
  const types = all.map((definition) => definition.type);
  const near = nearestName(type, types);
  const instead = near === undefined ? `they define ${listed(types)}.` : `did you mean "${near}"?`;
  throw new InvalidOptionsError(`Cannot find actor type "${type}" in the modules: ${instead}`, {
    details: { type, types },
  });
}
