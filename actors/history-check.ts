/** Replays the kept histories of an actor type against the definition at hand. */
import { type Address, formatAddress, makeAddress, partitionOf } from "../runtime/core/address.ts";
import { ActorReplay, type ReplayedActor } from "../runtime/engine/replay.ts";
import type { LogRecord } from "../runtime/log/log.ts";
import type { AnyActorDefinition } from "./define-actor.ts";
import type { SurveyedSpace } from "./version-survey.ts";

/** One actor whose history was replayed. */
export interface CheckedActor extends ReplayedActor {
  /** `type/id`; children are among them. */
  readonly actor: string;
}

/**
 * Replays what is kept of a definition's actors, or of one of them, and writes nothing.
 *
 * *Details* One partition after the other is read, so that of every actor of one partition one state is in memory.
 *
 * *Errors* `LogUnavailableError`; `InvalidNameError` for the id.
 */
export async function* checkHistories(
  { log, subjects }: SurveyedSpace,
  partitions: number,
  definition: AnyActorDefinition,
  id?: string,
): AsyncGenerator<CheckedActor> {
  const { type } = definition;
  const one = id === undefined ? undefined : makeAddress(type, id);
  const filters =
    one === undefined
      ? Array.from({ length: partitions }, (_, partition) => subjects.states(type, partition))
      : [subjects.state(partitionOf(one, partitions), one)];
  for (const filter of filters) {
    const replays = new Map<string, OneHistory>();
    for await (const record of log.scan("core", filter)) {
      let history = replays.get(record.subject);
      if (history === undefined) {
        const address = subjects.parseRecord(record.subject)?.address;
        if (address === undefined) continue;
        history = new OneHistory(definition, address, subjects.space);
        replays.set(record.subject, history);
      }
      history.add(record);
    }
    for (const history of replays.values()) yield history.end();
  }
}

/** An actor's history; a record that cannot be read ends it. */
class OneHistory {
  readonly #address: Address;
  readonly #replay: ActorReplay;
  #failure: string | undefined;

  constructor(definition: AnyActorDefinition, address: Address, space: string) {
    this.#address = address;
    this.#replay = new ActorReplay(definition, address, space);
  }

  add(record: LogRecord): void {
    if (this.#failure !== undefined) return;
    try {
      this.#replay.add(record);
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error);
    }
  }

  end(): CheckedActor {
    const actor = formatAddress(this.#address);
    const replayed = this.#replay.end();
    if (this.#failure === undefined) return { actor, ...replayed };
    const first = { revision: 0, events: [], result: "fails", differences: [], reason: this.#failure } as const;
    return { actor, ...replayed, result: "fails", first };
  }
}
