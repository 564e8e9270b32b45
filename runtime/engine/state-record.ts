/** The state record of a commit: the state, the fence, and what was handled. */
import type { Envelope } from "../core/envelope.ts";
import { type MessageFrame, recordFormat, type StateRecord } from "../core/records.ts";
import type { Decision } from "./decision.ts";
import type { Delivery } from "./delivery.ts";

const maxHandledPerRecord = 64;
/** What one message may take in the state record so that it can be replayed, and what all of one commit may. */
const maxReplayChars = 1024;
const maxReplayCharsPerRecord = 8192;

/** Puts the state record together from the decisions of one commit. */
export function stateRecordBytes(
  decisions: readonly Decision[],
  commit: string,
  previous: number,
  outbox: number,
): Uint8Array {
  const { head } = decisions[decisions.length - 1] as Decision;
  const fixed: Omit<StateRecord, "machine" | "snapshot" | "handled" | "waiting"> = {
    format: recordFormat,
    revision: head.revision,
    status: head.status,
    cursor: head.cursor,
    commit,
    previous,
    outbox,
  };
  let json = JSON.stringify(fixed).slice(0, -1);
  if (head.waiting !== undefined) json += `,"waiting":${JSON.stringify(head.waiting)}`;
  if (head.machineJson !== undefined) json += `,"machine":${head.machineJson}`;
  if (head.snapshotJson !== undefined) json += `,"snapshot":${head.snapshotJson}`;
  // A commit of a busy actor holds hundreds of messages: the newest are told, and those whose sender may come to ask.
  const told = decisions.filter(
    (decision, i) => i >= decisions.length - maxHandledPerRecord || decision.replyTo !== undefined,
  );
  const handled = told.length === decisions.length ? replayable(told) : undefined;
  json += `,"handled":[${(handled ?? told.map((decision) => decision.handledJson)).join(",")}]}`;
  return Buffer.from(json);
}

/** The handled messages with what they carried; undefined when that is too much to be kept. */
function replayable(decisions: readonly Decision[]): string[] | undefined {
  if (decisions.length > maxHandledPerRecord) return undefined;
  const handled: string[] = [];
  let chars = 0;
  for (const { handledJson, envelope, delivery, outcome } of decisions) {
    // What cannot be read has no effect that could be replayed, and neither has what is tried later.
    const isPlain = envelope === undefined || outcome === "failed" || outcome === "waiting";
    const carried = isPlain ? "" : carriedJson(envelope, delivery);
    if (carried === undefined || carried.length > maxReplayChars) return undefined;
    chars += carried.length;
    if (chars > maxReplayCharsPerRecord) return undefined;
    handled.push(carried === "" ? handledJson : `${handledJson.slice(0, -1)},${carried}}`);
  }
  return handled;
}

/** The fields `data` and `frame` of a handled message, as JSON without braces; undefined when the message is clearly too large. */
function carriedJson(envelope: Envelope, delivery: Delivery): string | undefined {
  if (delivery.timer !== undefined) return `"frame":{"timer":"${delivery.timer}"}`;
  if (delivery.data.length > 2 * maxReplayChars) return undefined;
  const { kind, event, input, internal, birth, n, result, systemId, holder, ask, reason, redrive } = envelope;
  const { type: _, ...data } = event ?? { type: "" };
  const json = event === undefined ? "" : `"data":${JSON.stringify(data)}`;
  if (kind === "event" && delivery.stream === "ingress") return json;
  const frame: MessageFrame = {
    ...(kind === "event" ? {} : { kind, input, birth, n, result, systemId, holder, reason }),
    ...(ask === undefined ? {} : { ask }),
    ...(internal === undefined ? {} : { internal }),
    ...(delivery.stream === "core" ? { core: true } : {}),
    ...(redrive === undefined ? {} : { redriven: true }),
  };
  return `${json}${json === "" ? "" : ","}"frame":${JSON.stringify(frame)}`;
}
