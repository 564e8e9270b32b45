/** Whether a simulated world has come to rest. */
import type { LogRecord } from "../../runtime/log/log.ts";
import type { MemoryBroker } from "../../runtime/memory/memory-broker.ts";
import { kindOf } from "./oracle.ts";

/** Looks at the journals as they grow: are there as many handled messages as there are messages? */
export class Progress {
  readonly #broker: MemoryBroker;
  readonly #revisions = new Map<string, number>();
  #at = 0;
  #mails = 0;
  #handled = 0;

  constructor(broker: MemoryBroker) {
    this.#broker = broker;
  }

  isDone(): boolean {
    const core = this.#broker.journal("core");
    for (; this.#at < core.length; this.#at++) {
      const record = core[this.#at] as LogRecord;
      const kind = kindOf(record);
      if (kind === "mail") this.#mails++;
      // Whoever is to be tried again, or stands in line, has a record and is not handled.
      if (kind === "wait") this.#handled--;
      if (kind !== "state") continue;
      // The revision stands at the front; only here is speed worth reading it so.
      const revision = Number(/"revision":(\d+)/.exec(Buffer.from(record.data.subarray(0, 60)).toString())?.[1]);
      this.#handled += revision - (this.#revisions.get(record.subject) ?? 0);
      this.#revisions.set(record.subject, revision);
    }
    return this.#handled >= this.#mails + this.#broker.journal("ingress").length;
  }
}
