/** One reader over an actor's state records, shared by all who wait for something about that actor. */
import { type Address, formatAddress, partitionOf } from "../../runtime/core/address.ts";
import type { LogReader } from "../../runtime/log/log.ts";
import { type ActorView, viewOfRecord } from "../view.ts";
import type { ClientContext } from "./context.ts";

/** Who is told of an actor's states. */
export interface StateListener {
  onView(view: ActorView): void;
  onError(error: Error): void;
}

/** Opens a reader over an actor's committed states: the current one first, then each that follows. */
export function readStates(context: ClientContext, address: Address, listener: StateListener): LogReader {
  let isOpen = true;
  let reader: LogReader | undefined;
  const fail = (error: unknown) => {
    if (!isOpen) return;
    isOpen = false;
    reader?.stop();
    listener.onError(error instanceof Error ? error : new Error(String(error)));
  };
  const opened = context.log.read("core", {
    filters: [context.subjects.state(partitionOf(address, context.partitions), address)],
    from: "last-per-subject",
    onRecord: (record) => {
      if (!isOpen) return;
      try {
        const view = viewOfRecord(address, record);
        if (view !== undefined) listener.onView(view);
      } catch (error) {
        fail(error);
      }
    },
    onError: fail,
  });
  reader = opened;
  opened.ready.catch(fail);
  return {
    ready: opened.ready,
    pause: () => opened.pause(),
    resume: () => opened.resume(),
    stop() {
      isOpen = false;
      opened.stop();
    },
  };
}

interface Shared {
  readonly listeners: Set<StateListener>;
  reader: LogReader | undefined;
  last: ActorView | undefined;
}

/** Readers by actor; each is closed when the last listener leaves. */
export class StateReaders {
  readonly #context: ClientContext;
  readonly #shared = new Map<string, Shared>();

  constructor(context: ClientContext) {
    this.#context = context;
  }

  /** How many readers are open. */
  get size(): number {
    return this.#shared.size;
  }

  /** Tells the listener the newest state that the reader has seen, and those that follow, until the returned function is called. */
  join(address: Address, listener: StateListener): () => void {
    const name = formatAddress(address);
    let shared = this.#shared.get(name);
    if (shared === undefined) {
      const opened: Shared = { listeners: new Set([listener]), reader: undefined, last: undefined };
      this.#shared.set(name, opened);
      opened.reader = readStates(this.#context, address, {
        onView: (view) => {
          opened.last = view;
          for (const each of [...opened.listeners]) each.onView(view);
        },
        onError: (error) => {
          if (this.#shared.get(name) === opened) this.#shared.delete(name);
          for (const each of [...opened.listeners]) each.onError(error);
        },
      });
      shared = opened;
    } else {
      shared.listeners.add(listener);
      if (shared.last !== undefined) listener.onView(shared.last);
    }
    const joined = shared;
    return () => {
      if (!joined.listeners.delete(listener) || joined.listeners.size > 0) return;
      joined.reader?.stop();
      if (this.#shared.get(name) === joined) this.#shared.delete(name);
    };
  }
}
