/**
 * I7: every decision in the journal is made again from the messages alone, and must come out the same to the byte.
 *
 * It uses the engine's own `decide`, since that is what must be reproducible; what it is given comes from the journals only.
 */

import { parseAddress } from "../../runtime/core/address.ts";
import { deadLetterTopic } from "../../runtime/core/dead-letter-events.ts";
import { fromToken } from "../../runtime/core/names.ts";
import {
  decodeRecord,
  type HandledMessage,
  type LetterRecord,
  type WaitingRecord,
} from "../../runtime/core/records.ts";
import { decide } from "../../runtime/engine/decide.ts";
import { decideDead } from "../../runtime/engine/decide-dead.ts";
import { decideLine, decideRetry } from "../../runtime/engine/decide-waiting.ts";
import type { Decision } from "../../runtime/engine/decision.ts";
import type { RunnableDefinition } from "../../runtime/engine/definition.ts";
import { type Delivery, untried } from "../../runtime/engine/delivery.ts";
import type { DecideEnv } from "../../runtime/engine/given.ts";
import { absentHead, type Head } from "../../runtime/engine/head.ts";
import { Undeliverable } from "../../runtime/engine/message.ts";
import type { LogLimits, LogRecord } from "../../runtime/log/log.ts";
import { depend } from "./actors.ts";
import { type ActorCommit, type Entry, kindOf, type Reading, readJson, type Violation } from "./oracle.ts";

/** Decides all messages of all actors again; says where the journal holds something else. */
export function replay(reading: Reading, definitions: readonly RunnableDefinition[], limits: LogLimits): Violation[] {
  const violations: Violation[] = [];
  for (const [actor, chain] of reading.chains) {
    const definition = definitions.find((each) => each.type === parseType(actor));
    const problem = replayActor(actor, chain, definition, limits);
    if (problem !== undefined) violations.push({ invariant: "I7", text: problem });
  }
  return violations;
}

function replayActor(
  actor: string,
  chain: readonly ActorCommit[],
  definition: RunnableDefinition | undefined,
  limits: LogLimits,
): string | undefined {
  let head: Head = absentHead;
  const answers = new Map<string, string>();
  for (const commit of chain) {
    const expected: string[] = [];
    for (const entry of commit.entries) {
      const decision = decideAgain(entry, commit, head, definition, limits, answers);
      if (typeof decision === "string") return `${actor} at ${commit.seq}: ${decision}`;
      // What is kept beside for replays by the product itself is no part of the decision.
      const { data: _data, frame: _frame, ...rest } = entry.said;
      const said = JSON.stringify(rest);
      if (decision.handledJson !== said)
        return `${actor} at ${commit.seq} said ${said}, and says ${decision.handledJson} when it is replayed`;
      if (decision.key !== undefined && decision.answerJson !== undefined && decision.outcome !== "dead")
        answers.set(decision.key, answers.get(decision.key) ?? decision.answerJson);
      expected.push(...decision.outbox.map(textOf));
      head = decision.head;
    }
    const snapshot = JSON.stringify(commit.state.snapshot);
    if (head.snapshotJson !== snapshot)
      return `${actor} at ${commit.seq} holds ${snapshot}, and ${head.snapshotJson} when it is replayed`;
    if (head.status !== commit.state.status)
      return `${actor} at ${commit.seq} is ${commit.state.status}, and ${head.status} when it is replayed`;
    const emitted = commit.outbox.map(textOfRecord);
    const at = expected.findIndex((text, i) => text !== emitted[i]);
    if (at >= 0 || expected.length !== emitted.length)
      return `${actor} at ${commit.seq} emitted ${emitted[at]}, and ${expected[at]} when it is replayed`;
    // As a restart would: from the stored form, at every commit.
    if (definition !== undefined && head.snapshotJson !== undefined && head.status !== "new")
      head = { ...head, state: definition.driver.fromStored(JSON.parse(head.snapshotJson), head.status) };
  }
  return undefined;
}

function decideAgain(
  { mail, said, n }: Entry,
  commit: ActorCommit,
  head: Head,
  definition: RunnableDefinition | undefined,
  limits: LogLimits,
  answers: ReadonlyMap<string, string>,
): Decision | string {
  const delivery: Delivery = {
    stream: mail.stream,
    seq: mail.seq,
    subject: mail.record.subject,
    to: parseAddressLoosely(mail.actor),
    sender: mail.stream === "ingress" ? mail.by : undefined,
    data: mail.record.data,
    unaddressable: mail.actor.startsWith("_/") ? "-" : undefined,
    ...untried,
    ...(n === undefined ? {} : { waiting: n }),
    isKeyNew: true,
  };
  const env: DecideEnv = {
    now: said.at,
    node: "replay",
    space: "test",
    limits,
    isReply: (subject) => typeof subject === "string",
    pendingKey: (key) => answers.get(key),
  };
  const letter = letterOf(commit, said);
  if (said.outcome === "waiting") {
    // Of what was tried before it stood in line, its record tells.
    return decideLine(definition, head, { ...delivery, ...triedOf(commit, delivery) }, env);
  }
  const isFailure = said.outcome === "failed" || letter?.reason === "attempts";
  depend({ fails: () => isFailure });
  try {
    const decision = decide(definition, head, delivery, env);
    if (letter !== undefined || isFailure)
      return `${mail.envelope?.id} ${letter === undefined ? "failed" : `died (${letter.reason})`}, and is ${decision.outcome} when it is replayed`;
    return decision;
  } catch (error) {
    if (said.outcome === "failed") {
      const { retryAt, error: text } = said.failure as NonNullable<typeof said.failure>;
      const isHold = definition?.supervision(mail.envelope?.event?.type).order === "hold";
      const next = { at: retryAt, isHold, error: text, on: undefined };
      return decideRetry(definition, head, { ...delivery, ...triedOf(commit, delivery) }, env, next);
    }
    if (letter === undefined) return `${mail.envelope?.id} throws when it is replayed: ${String(error)}`;
    const reason = error instanceof Undeliverable ? error.reason : letter.reason;
    // What does not follow from the message (how often and when it was tried) is taken from the letter.
    const { explanation, attempts } = letter;
    const dead = decideDead(definition, head, delivery, env, reason, explanation, attempts, lifeBefore(letter));
    if (!dead.outbox.some(({ kind }) => kind === "dead"))
      return `${mail.envelope?.id} has no letter when it is replayed`;
    const { attemptCount } = letter;
    const counted = (json: string) => JSON.stringify({ ...JSON.parse(json), attemptCount });
    const outbox = dead.outbox.map((each) => {
      if (each.kind === "dead") return { ...each, json: counted(each.json) };
      return each.kind === "topic" && each.topic === deadLetterTopic
        ? { ...each, eventJson: counted(each.eventJson) }
        : each;
    });
    return { ...dead, outbox };
  }
}

/** What was tried with a message, as the record says under which it waits. */
function triedOf(
  commit: ActorCommit,
  { stream, seq }: Delivery,
): Pick<Delivery, "attempts" | "attemptCount" | "firstAt" | "retryState"> {
  for (const record of commit.outbox) {
    if (kindOf(record) !== "wait") continue;
    const stored = decodeRecord<WaitingRecord>("a waiting message", record.data);
    if (stored.source?.stream !== stream || stored.source.seq !== seq) continue;
    const { attempts, attemptCount, firstAt, retry } = stored;
    return { attempts, attemptCount, firstAt, retryState: retry as Delivery["retryState"] };
  }
  return untried;
}

/** The letter as it was before its message died again, as far as the new one says; its attempts are among those of the new one. */
function lifeBefore(letter: LetterRecord): LetterRecord | undefined {
  const { firstAt, history = [] } = letter;
  if (firstAt === undefined) return undefined;
  return { ...letter, at: firstAt, attempts: [], history: history.slice(0, -1) };
}

function letterOf(commit: ActorCommit, { letter: name }: HandledMessage): LetterRecord | undefined {
  if (name === undefined) return undefined;
  const record = commit.outbox.find((each) => kindOf(each) === "dead" && each.subject.endsWith(`.${name}`));
  return record === undefined ? undefined : decodeRecord<LetterRecord>("a dead letter", record.data);
}

/** An emission without what the commit added to it: ids and time. */
function textOf(item: Decision["outbox"][number]): string {
  switch (item.kind) {
    case "mail":
      return `mail ${item.to.type}/${item.to.id} ${JSON.stringify(JSON.parse(`{${item.fields}}`).event)}`;
    case "topic":
      return `topic ${item.topic} ${item.eventJson}`;
    case "emit":
      return `emit ${item.type} ${item.eventJson}`;
    case "key":
      return `key ${item.key} ${withoutSnapshot(item.json)}`;
    case "dead":
      return `dead ${item.json}`;
    case "body":
      return `body ${item.letter}`;
    case "wait":
      return `wait ${item.n} ${item.json}`;
    case "timer":
      return `timer ${item.timer} ${item.atMs}`;
    default:
      return `${item.kind} is nothing that these actors do`;
  }
}

function textOfRecord(record: LogRecord): string {
  const tokens = record.subject.split(".");
  const json = Buffer.from(record.data).toString();
  switch (kindOf(record)) {
    case "mail":
      return `mail ${tokens[5]}/${tokens[6]} ${JSON.stringify(readJson<{ event: unknown }>(record)?.event)}`;
    case "topic":
      return `topic ${fromToken(tokens[5] as string)} ${JSON.stringify(readJson<{ data: unknown }>(record)?.data)}`;
    case "emit":
      return `emit ${tokens[7]} ${JSON.stringify(readJson<{ data: unknown }>(record)?.data)}`;
    case "key":
      return `key ${tokens[7]} ${withoutSnapshot(json)}`;
    case "dead":
      return `dead ${json}`;
    case "wait":
      return `wait ${tokens[7]} ${json}`;
    case "timer":
      return `timer ${tokens[10]} ${readJson<{ at: number }>(record)?.at}`;
    default:
      return `${kindOf(record)} ${tokens[7]}`;
  }
}

/** Whether a snapshot is kept with the key depends on who asked, which a replay is not told. */
function withoutSnapshot(json: string): string {
  const record = JSON.parse(json) as { answer?: { snapshot?: unknown } };
  return JSON.stringify({ ...record, answer: { ...record.answer, snapshot: undefined } });
}

function parseType(actor: string): string {
  return actor.slice(0, actor.indexOf("/"));
}

/** As `parseAddress`, for the actor of unaddressable messages too. */
function parseAddressLoosely(actor: string) {
  return actor.startsWith("_/") ? { type: "_", id: actor.slice(2) } : parseAddress(actor);
}
