/**
 * The message that redriving a dead letter puts into a mailbox.
 *
 * 1. It has the id and the key that it always had: what was applied before is found again.
 * 2. In INGRESS anyone may write anything: what only nodes may say of a message goes along only when it was read from CORE.
 */
import { type Envelope, envelopeFormat, isOpenKind, workerSender } from "./envelope.ts";
import type { LetterRecord } from "./records.ts";
import type { Subjects } from "./subjects.ts";

/**
 * Returns the message of a letter as it goes back into a mailbox; undefined when it is of a kind that only nodes may send, and did not come from one.
 *
 * *Details*: `home` is the subject of the letter, for a mailbox that is not that of the letter's own actor.
 */
export function redrivenMessage(
  subjects: Subjects,
  record: LetterRecord,
  envelope: Envelope,
  home?: string,
): Envelope | undefined {
  const { kind, id, key, sentAt, traceparent } = envelope;
  const { source } = record;
  const isOfNode = source.stream === "core";
  const isPlain = isOpenKind(kind);
  const isOfWorker =
    kind === "result" && subjects.parseMailbox("ingress", source.subject)?.sender === workerSender && !isOfNode;
  if (!isPlain && !isOfNode && !isOfWorker) return undefined;
  return {
    format: envelopeFormat,
    kind,
    id,
    ...(kind === "event" || kind === "relay" ? { event: envelope.event as NonNullable<Envelope["event"]> } : {}),
    ...(envelope.input === undefined ? {} : { input: envelope.input }),
    ...(envelope.reason === undefined ? {} : { reason: envelope.reason }),
    ...(isPlain || envelope.result === undefined ? {} : { result: envelope.result }),
    ...(isOfNode ? ofNode(envelope) : {}),
    ...(key === undefined ? {} : { key }),
    sentAt,
    ...(traceparent === undefined ? {} : { traceparent }),
    redrive: {
      letter: record.letter,
      attempts: record.attemptCount,
      redrives: record.redrives + 1,
      ...(home === undefined ? {} : { home }),
    },
  };
}

/** What only nodes may say of a message. */
function ofNode({ from, internal, birth, n, systemId, holder, ask }: Envelope): Partial<Envelope> {
  return {
    ...(from === undefined ? {} : { from }),
    ...(internal === undefined ? {} : { internal }),
    ...(birth === undefined ? {} : { birth }),
    ...(n === undefined ? {} : { n }),
    ...(systemId === undefined ? {} : { systemId }),
    ...(holder === undefined ? {} : { holder }),
    ...(ask === undefined ? {} : { ask }),
  };
}
