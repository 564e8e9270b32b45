/**
 * The actor logic of a machine and of all machines below it, by the names that lead to it.
 *
 * A machine that is its own descendant is entered once: where a path comes to a machine a second time, the way between is left out, so that names stay finite.
 */
import type { ChildLogic, MachineDriver } from "../machine/driver.ts";

/** Actor logic, and the names that lead to it from the actor's machine. */
export interface LogicBelow {
  readonly path: readonly string[];
  readonly child: ChildLogic;
}

/** Walks down; a machine that is its own descendant is not entered again. */
export function* logicBelow(
  driver: MachineDriver,
  path: readonly string[] = [],
  above: readonly MachineDriver[] = [],
): Generator<LogicBelow> {
  for (const [src, child] of driver.children) {
    yield { path: [...path, src], child };
    if (child.kind !== "actor" || child.driver === driver || above.includes(child.driver)) continue;
    yield* logicBelow(child.driver, [...path, src], [...above, driver]);
  }
}

/** Follows a path, and returns what is there with the path under which {@link logicBelow} lists it; undefined when nothing is. */
export function followPath(root: MachineDriver, path: readonly string[]): LogicBelow | undefined {
  let way: Array<{ readonly driver: MachineDriver; readonly src: string }> = [];
  let driver = root;
  for (const [i, src] of path.entries()) {
    const child = driver.children.get(src);
    if (child === undefined) return undefined;
    if (i === path.length - 1) return { path: [...way.map((step) => step.src), src], child };
    if (child.kind !== "actor") return undefined;
    way.push({ driver, src });
    driver = child.driver;
    const seen = way.findIndex((step) => step.driver === driver);
    if (seen >= 0) way = way.slice(0, seen);
  }
  return undefined;
}
