/** What has changed from one shape of a machine to the next, in words. */
import type { MachineShape, StateShape, TransitionShape } from "../core/shape.ts";

/**
 * Describes the differences between two shapes of one machine, states in the order of their names; empty when there are none.
 *
 * Details: of states that came or went with all that is in them only the outermost is named. Machines among the actor logic are not looked into: they are compared
 * on their own. What a shape was too large to hold is not compared, and the last sentence says so.
 */
export function describeChanges(before: MachineShape, after: MachineShape): string[] {
  const changes: string[] = [];
  const names = [...new Set([...Object.keys(before.states), ...Object.keys(after.states)])].sort();
  const [endBefore, endAfter] = [lastOf(before), lastOf(after)];
  let apart: string | undefined;
  for (const name of names) {
    if (isBeyond(name, endBefore) || isBeyond(name, endAfter)) continue;
    if (apart !== undefined && name.startsWith(`${apart}.`)) continue;
    apart = undefined;
    const [was, is] = [before.states[name], after.states[name]];
    if (was !== undefined && is !== undefined) changes.push(...inState(name, was, is));
    else {
      apart = name;
      changes.push(`state ${name} is ${is === undefined ? "gone" : "new"}`);
    }
  }
  changes.push(...inActors(before, after));
  const end = [endBefore, endAfter].filter((each) => each !== undefined).sort()[0];
  if (end !== undefined) changes.push(`states behind ${end} are too many to be compared`);
  return changes;
}

/** Where a shape that was cut ends; undefined for one that is whole. */
function lastOf(shape: MachineShape): string | undefined {
  return shape.leftOut === undefined ? undefined : (Object.keys(shape.states).sort().at(-1) ?? "");
}

function isBeyond(name: string, end: string | undefined): boolean {
  return end !== undefined && name > end;
}

function* inState(name: string, was: StateShape, is: StateShape): Generator<string> {
  const [typeBefore, typeNow] = [was.type ?? "atomic", is.type ?? "atomic"];
  if (typeBefore !== typeNow) yield `state ${name} is ${typeNow} now, it was ${typeBefore}`;
  if ((was.id ?? name) !== (is.id ?? name)) {
    yield `state ${name} has the id "${is.id ?? name}" now, it had "${was.id ?? name}"`;
  }
  if (was.initial !== undefined && is.initial !== undefined && !isEqual(was.initial, is.initial)) {
    yield `state ${name} begins in ${listed(is.initial)} now, it began in ${listed(was.initial)}`;
  }
  if (was.history !== undefined && is.history !== undefined && was.history !== is.history) {
    yield `history state ${name} is ${is.history} now, it was ${was.history}`;
  }
  if (!isEqual(was.fallback ?? [], is.fallback ?? [])) {
    yield `history state ${name} leads to ${listed(is.fallback ?? [])} when nothing is remembered, it led to ${listed(was.fallback ?? [])}`;
  }
  yield* inTransitions(was.on, is.on, (descriptor) => triggerOf(descriptor, name));
  yield* inTransitions(was.after, is.after, (delay) => delayed(delay, name));
  const eventless = "the transition without an event";
  yield* inTransitions(asTable(was.always), asTable(is.always), () => `${eventless} of ${name}`);
  yield* inInvocations(name, was.invoke ?? [], is.invoke ?? []);
}

type Table = Readonly<Record<string, readonly TransitionShape[]>>;

function asTable(list: readonly TransitionShape[] | undefined): Table | undefined {
  return list === undefined ? undefined : { "": list };
}

function* inTransitions(was: Table = {}, is: Table = {}, trigger: (descriptor: string) => string): Generator<string> {
  for (const descriptor of [...new Set([...Object.keys(was), ...Object.keys(is)])].sort()) {
    const [before, now] = [ownOf(was, descriptor), ownOf(is, descriptor)];
    if (isEqual(before, now)) continue;
    const what = trigger(descriptor);
    if (before === undefined) yield `${what} is new, and ${leadsTo(now, "now")}`;
    else if (now === undefined) yield `${what} is gone, it ${leadsTo(before, "before")}`;
    else yield `${what} ${leadsTo(now, "now")} now, it ${leadsTo(before, "before")}`;
  }
}

function ownOf(table: Table, key: string): readonly TransitionShape[] | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** Names what a transition waits for. */
function triggerOf(descriptor: string, state: string): string {
  const [, kind, name = ""] = /^xstate\.(done\.state|done\.actor|error\.actor|snapshot)\.(.*)$/s.exec(descriptor) ?? [];
  const child = nameOfChild(name);
  switch (kind) {
    case "done.state":
      return `the end of ${state}`;
    case "done.actor":
      return `the end of ${child} in ${state}`;
    case "error.actor":
      return `a failure of ${child} in ${state}`;
    case "snapshot":
      return `a new state of ${child} in ${state}`;
    default:
      return descriptor === "*" ? `any other event in ${state}` : `event ${descriptor} in ${state}`;
  }
}

function delayed(delay: string, state: string): string {
  return /^\d+$/.test(delay) ? `the delay of ${delay} ms in ${state}` : `the delay ${delay} in ${state}`;
}

/** XState names an invocation without an id by its place: `0.order.paying`. */
function nameOfChild(id: string): string {
  const place = /^(\d+)\../s.exec(id)?.[1];
  return place === undefined ? `"${id}"` : `invocation ${Number(place) + 1}`;
}

function leadsTo(list: readonly TransitionShape[] = [], tense: "now" | "before"): string {
  const targets = [
    ...new Set(
      list.flatMap(({ to, reenter }) =>
        to === undefined ? [] : [`${to.join(" and ")}${reenter === true ? " (entered anew)" : ""}`],
      ),
    ),
  ];
  const isAnewInPlace = list.some(({ to, reenter }) => to === undefined && reenter === true);
  const stays = list.some(({ to, reenter }) => to === undefined && reenter !== true);
  const parts = [
    ...(targets.length === 0 ? [] : [`${tense === "now" ? "leads" : "led"} to ${targets.join(" or ")}`]),
    ...(isAnewInPlace ? [tense === "now" ? "enters it anew" : "entered it anew"] : []),
    ...(stays ? [tense === "now" ? "stays there" : "stayed there"] : []),
  ];
  return parts.length === 0 ? (tense === "now" ? "leads nowhere" : "led nowhere") : parts.join(" or ");
}

type Invocation = { readonly id: string; readonly src: string };

function* inInvocations(state: string, was: readonly Invocation[], is: readonly Invocation[]): Generator<string> {
  for (const before of was) {
    const now = is.find(({ id }) => id === before.id);
    if (now === undefined) yield `state ${state} does not invoke ${shown(before)} any more`;
    else if (now.src !== before.src) yield `state ${state} invokes ${shown(now)} now, it invoked ${shown(before)}`;
  }
  for (const now of is) {
    if (!was.some(({ id }) => id === now.id)) yield `state ${state} invokes ${shown(now)} now`;
  }
}

function shown({ id, src }: Invocation): string {
  const logic = src.startsWith("xstate.invoke.") ? "logic that is defined inline" : `"${src}"`;
  return /^\d+\../s.test(id) || id === src ? logic : `${logic} as "${id}"`;
}

function* inActors(before: MachineShape, after: MachineShape): Generator<string> {
  const [was, is] = [before.actors ?? {}, after.actors ?? {}];
  for (const name of [...new Set([...Object.keys(was), ...Object.keys(is)])].sort()) {
    // What is defined inline has come or gone with the invocation that defines it.
    if (/^(xstate\.invoke|spawn)\.\d+\./.test(name)) continue;
    const [hadIt, hasIt] = [Object.hasOwn(was, name), Object.hasOwn(is, name)];
    if (!hasIt) yield `actor logic "${name}" is gone`;
    else if (!hadIt) yield `actor logic "${name}" is new`;
    else if ((was[name] === null) !== (is[name] === null)) {
      yield `actor logic "${name}" is ${is[name] === null ? "no machine any more" : "a machine now"}`;
    }
  }
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "nothing" : names.join(" and ");
}

function isEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
