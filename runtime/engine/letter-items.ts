/** The records of a dead letter in a commit. */
import { toStored } from "../core/codec.ts";
import { deadLetteredEvent, deadLetterTopic } from "../core/dead-letter-events.ts";
import { fingerprintOfLetter } from "../core/fingerprint-of-letter.ts";
import type { LetterRecord } from "../core/records.ts";
import type { OutboxItem } from "./outbox.ts";

/** Makes the letter, and the event that tells of it. */
export function letterItems(died: Omit<LetterRecord, "fingerprint">): [letter: OutboxItem, event: OutboxItem] {
  const record: LetterRecord = { ...died, fingerprint: fingerprintOfLetter(died) };
  const event = deadLetteredEvent(record);
  return [
    { kind: "dead", letter: record.letter, json: JSON.stringify(record) },
    {
      kind: "topic",
      topic: deadLetterTopic,
      type: event.type,
      eventJson: JSON.stringify(toStored(event, "event")),
    },
  ];
}
