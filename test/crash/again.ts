/** Every decision in a journal, made again: the same state, message and time must give the same next state and the same emissions (I7). */
import { parseAddress } from "../../runtime/core/address.ts";
import { fromStored, toStored } from "../../runtime/core/codec.ts";
import type { Envelope } from "../../runtime/core/envelope.ts";
import type { Outcome } from "../../runtime/core/records.ts";
import type { MachineEvent, MachineState, Work } from "../../runtime/machine/driver.ts";
import { actors, worker } from "./actors.ts";
import type { Journal } from "./journal.ts";

const withoutEffect: ReadonlySet<Outcome> = new Set(["dead", "duplicate", "failed", "waiting"]);

/** Where the log holds something else than what is decided now; of commits that name all of their messages. */
export function decideAgain(journal: Journal): string[] {
  const problems: string[] = [];
  const messages = new Map(journal.messages.map(({ envelope, actor }) => [`${actor} ${envelope?.id}`, envelope]));
  const core = new Map(journal.records.core.map((record) => [record.seq, record]));
  for (const actor of journal.actors) {
    const self = parseAddress(actor);
    const definition = actors.find(({ type }) => type === self.type);
    // A worker plays what fails for a while, and is not pure.
    if (definition === undefined || self.type === worker.type) continue;
    const { driver } = definition;
    let state: MachineState | undefined;
    let revision = 0;
    for (const commit of journal.commitsOf(actor)) {
      const { handled, snapshot, status, outbox } = commit.state;
      // The record of a very large commit leaves some of its messages out.
      const isComplete = commit.state.revision - revision === handled.length;
      const work: Work[] = [];
      for (const { message, outcome, at } of isComplete ? handled : []) {
        if (withoutEffect.has(outcome)) continue;
        const envelope = messages.get(`${actor} ${message}`);
        const env = { self, now: at };
        if (state === undefined) {
          const made = driver.create(definition.inputFor(self.id), env);
          state = made.state;
          work.push(...made.work);
        }
        const step = driver.step(state, { kind: "event", event: fromStored(envelope?.event) as MachineEvent }, env);
        if ((step.outcome === "taken") !== (outcome === "applied"))
          problems.push(`I7: ${actor} at ${commit.seq} says that ${message} was ${outcome}`);
        if (step.outcome !== "taken") continue;
        state = step.state;
        work.push(...step.work);
      }
      const now = state === undefined ? undefined : JSON.stringify(driver.toStored(state));
      if (isComplete && now !== JSON.stringify(snapshot))
        problems.push(`I7: ${actor} at ${commit.seq} holds ${JSON.stringify(snapshot)}, decided again ${now}`);
      const told: unknown[] = [];
      for (let i = 1; i <= outbox; i++) {
        const record = core.get(commit.seq + i);
        const kind = record?.subject.split(".")[4];
        if (record === undefined || (kind !== "mail" && kind !== "emit")) continue;
        const said = JSON.parse(Buffer.from(record.data).toString()) as Envelope & { readonly data?: unknown };
        told.push(kind === "mail" ? said.event : said.data);
      }
      const tells = work.flatMap((item) =>
        item.kind === "tell" || item.kind === "emit" ? [toStored(item.event)] : [],
      );
      if (isComplete && JSON.stringify(tells) !== JSON.stringify(told))
        problems.push(
          `I7: ${actor} at ${commit.seq} told ${JSON.stringify(told)}, decided again ${JSON.stringify(tells)}`,
        );
      // From the stored form, as after a restart.
      if (snapshot !== undefined && status !== "new") state = driver.fromStored(snapshot, status);
      revision = commit.state.revision;
    }
  }
  return problems;
}
