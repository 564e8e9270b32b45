/** What the scenarios of this suite have in common. */
import type { ScenarioWorld } from "../../scenarios/scenario.ts";

/** Entry and exit actions that note `+name` and `-name`. */
export function noted(trace: ScenarioWorld["trace"], name: string): { entry: () => void; exit: () => void } {
  return { entry: () => trace(`+${name}`), exit: () => trace(`-${name}`) };
}
