/** Sends the flights: the whole file, with the messages that are bad and those that are sent twice. */
import type { Client } from "../../index.ts";
import type { defineAirport } from "./airport.ts";
import { departure, isDeadBeforeFix, repeatedBy, troubleOf } from "./bad-messages.ts";
import type { Flight } from "./data.ts";

/** Two services that send to the airports. */
export interface Senders {
  /** Knows the definition: what the schema refuses would not leave it. */
  readonly timetable: Client;
  /** Knows addresses only, as a service in another language would: its messages are checked when a node reads them. */
  readonly legacy: Client;
}

const chunkSize = 500;
const answerTimeout = "2 minutes";

/** The sending of one file of flights. */
export class FlightSender {
  readonly #flights: readonly Flight[];
  readonly #airport: ReturnType<typeof defineAirport>;
  readonly #senders: Senders;
  /** Answers that are still to come. */
  readonly #answers: Array<Promise<void>> = [];
  /** Flights that are confirmed to be stored and will be applied without an operator's help. */
  confirmed = 0;
  /** Repeated messages that the log refused to store a second time. */
  recognisedByLog = 0;
  /** Repeated messages that an actor had applied before, as its answer says. */
  recognisedByActor = 0;

  constructor(flights: readonly Flight[], airport: ReturnType<typeof defineAirport>, senders: Senders) {
    this.#flights = flights;
    this.#airport = airport;
    this.#senders = senders;
  }

  /** Sends everything, and resolves when all is stored and all answers are there. The last quarter waits for `halfTime`. */
  async run(halfTime: Promise<unknown>): Promise<void> {
    for (let at = 0; at < this.#flights.length; at += chunkSize) {
      if (at >= this.#flights.length * 0.75) await halfTime;
      await Promise.all(this.#flights.slice(at, at + chunkSize).map((flight) => this.#send(flight)));
    }
    await Promise.all(this.#answers);
  }

  async #send(flight: Flight): Promise<void> {
    const { timetable, legacy } = this.#senders;
    const to = this.#airport.ref(flight.origin);
    const event = departure(flight);
    const key = flight.id;
    if (troubleOf(flight) === "schema") {
      await legacy.send(`airport/${flight.origin}`, { ...event, delay: String(flight.delay) }, { key });
    } else {
      await timetable.send(to, event, { key });
    }
    if (!isDeadBeforeFix(flight)) this.confirmed++;

    const again = repeatedBy(flight);
    if (again === "same") {
      const { duplicate } = await timetable.send(to, event, { key });
      if (duplicate) this.recognisedByLog++;
    } else if (again === "other") {
      // Not awaited here: the answer comes when the message is applied, perhaps only after another node has taken over.
      const answer = legacy.ask(`airport/${flight.origin}`, event, { key, timeout: answerTimeout });
      const counted = answer.then(({ duplicate }) => {
        if (duplicate) this.recognisedByActor++;
      });
      // It may fail before `run` looks at it, which then throws its error.
      counted.catch(() => {});
      this.#answers.push(counted);
    }
  }
}
