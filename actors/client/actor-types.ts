/** The registry of actor types: what the nodes of a space have said they handle. */
import { type ActorTypeRecord, decodeRecord } from "../../runtime/core/records.ts";
import type { ClientContext } from "./context.ts";

/** An actor type that the nodes of a space handle. */
export interface ActorTypeInfo {
  readonly type: string;
  readonly machine: { readonly id: string; readonly version?: string; readonly fingerprint: string };
  /** Event types that the schemas declare; undefined when the type takes every event. */
  readonly events: readonly string[] | undefined;
  /** True when actors of the type take a `create` before any event. */
  readonly needsCreate: boolean;
}

/** A cached view of the registry. */
export class ActorTypes {
  readonly #context: ClientContext;
  #known: ReadonlyMap<string, ActorTypeInfo> = new Map();
  #loading: Promise<void> | undefined;

  constructor(context: ClientContext) {
    this.#context = context;
  }

  /** What was known when the registry was read last. */
  get known(): ReadonlyMap<string, ActorTypeInfo> {
    return this.#known;
  }

  /** True while the registry is being read: whoever asks now waits for that, so that sends keep their order. */
  get isLoading(): boolean {
    return this.#loading !== undefined;
  }

  /** Reads the registry; calls made meanwhile share one read. Rejects with `LogUnavailableError`. */
  load(): Promise<void> {
    if (this.#loading !== undefined) return this.#loading;
    const loading = this.#read();
    this.#loading = loading;
    // The first to learn of the end, right before those who wait: whoever comes later finds the answer and is later than they are.
    const onDone = () => {
      this.#loading = undefined;
    };
    loading.then(onDone, onDone);
    return loading;
  }

  async #read(): Promise<void> {
    const { log, subjects } = this.#context;
    const known = new Map<string, ActorTypeInfo>();
    for await (const record of log.scan("core", subjects.actorTypes(), { lastPerSubject: true })) {
      const { type, machine, events, needsCreate } = decodeRecord<ActorTypeRecord>("an actor type", record.data);
      known.set(type, { type, machine, events, needsCreate });
    }
    this.#known = known;
  }
}
