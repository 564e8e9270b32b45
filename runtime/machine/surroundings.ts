/** Children, timers and birth of an actor as they are stored beside its snapshot. */
import { fromStored as decode, toStored as encode } from "../core/codec.ts";
import type { StoredChild, StoredRestart, StoredSnapshot, StoredTimer } from "../core/records.ts";
import type { MachineEvent } from "./driver.ts";
import type { Storing } from "./snapshot.ts";
import { type Child, noSurroundings, type Restart, type Surroundings, type Timer } from "./state.ts";

/** Writes what is kept beside a snapshot into its stored form; nothing where there is nothing. */
export function encodeSurroundings(stored: Storing, around: Surroundings): void {
  if (around.n > 0) stored.n = around.n;
  if (around.children.size > 0) {
    stored.children = Object.fromEntries(Array.from(around.children, ([id, child]) => [id, encodeChild(id, child)]));
  }
  if (around.timers.size > 0) {
    stored.timers = Object.fromEntries(Array.from(around.timers, ([name, timer]) => [name, encodeTimer(timer)]));
  }
  if (around.birth !== undefined) stored.birth = around.birth;
  if (around.restart !== undefined) stored.restart = encodeRestart(around.restart);
  if (around.run !== undefined) stored.run = around.run;
  if (around.system.size > 0) stored.system = Object.fromEntries(around.system);
}

function encodeChild(id: string, child: Child): StoredChild {
  return {
    kind: child.kind,
    src: child.src,
    n: child.n,
    ...(child.systemId === undefined ? {} : { systemId: child.systemId }),
    ...(child.sync ? { sync: true } : {}),
    ...(child.ended ? { ended: true } : {}),
    ...(child.input === undefined ? {} : { input: encode(child.input, `the input of "${id}"`) }),
    ...(child.task === undefined ? {} : { task: child.task }),
    ...(child.asked === undefined ? {} : { asked: child.asked }),
  };
}

function encodeTimer(timer: Timer): StoredTimer {
  return {
    at: timer.at,
    ...(timer.id === undefined ? {} : { id: timer.id }),
    ...(timer.event === undefined ? {} : { event: encode(timer.event, "the event of a timer") }),
    ...(timer.to === undefined ? {} : { to: timer.to }),
    ...(timer.task === undefined ? {} : { task: timer.task }),
  };
}

function encodeRestart({ input, series, timer }: Restart): StoredRestart {
  return {
    ...(input === undefined ? {} : { input }),
    ...(series === undefined ? {} : { series }),
    ...(timer === undefined ? {} : { timer }),
  };
}

/** Reads what {@link encodeSurroundings} wrote. */
export function decodeSurroundings(stored: StoredSnapshot): Surroundings {
  const { n, children, timers, birth, restart, run, system } = stored;
  if (n === undefined && birth === undefined && run === undefined && system === undefined) return noSurroundings;
  return {
    n: n ?? 0,
    children: children === undefined ? noSurroundings.children : mapOf(children, decodeChild),
    timers: timers === undefined ? noSurroundings.timers : mapOf(timers, decodeTimer),
    birth,
    restart: restart === undefined ? undefined : { input: restart.input, series: restart.series, timer: restart.timer },
    run,
    system: system === undefined ? noSurroundings.system : new Map(Object.entries(system)),
  };
}

function mapOf<From, To>(record: Readonly<Record<string, From>>, read: (from: From) => To): Map<string, To> {
  return new Map(Object.entries(record).map(([name, from]) => [name, read(from)]));
}

function decodeChild({ kind, src, n, systemId, sync, ended, input, task, asked }: StoredChild): Child {
  return { kind, src, n, systemId, sync: sync === true, ended: ended === true, input: decode(input), task, asked };
}

function decodeTimer({ at, id, event, to, task }: StoredTimer): Timer {
  return { at, id, event: event === undefined ? undefined : (decode(event) as MachineEvent), to, task };
}
