/**
 * The subjects of a space: the only place where they are put together or taken apart.
 *
 * INGRESS  `sw.<space>.in.<sender>.<partition>.<type>.<id>.<message>`     one subject for every message
 * CORE     `sw.<space>.core.<partition>.state.<type>.<id>`                the actor's state: history depth, fence
 *          `sw.<space>.core.<partition>.mail.<type>.<id>.<message>`       actor to actor, and redriven letters
 *          `sw.<space>.core.<partition>.key.<type>.<id>.<key>`            an idempotency key that was applied
 *          `sw.<space>.core.<partition>.dead.<type>.<id>.<letter>`        dead letters
 *          `sw.<space>.core.<partition>.body.<type>.<id>.<letter>`        the bytes of a large dead message
 *          `sw.<space>.core.<partition>.topic.<topic>.<message>`          published events
 *          `sw.<space>.core.<partition>.emit.<type>.<id>.<event>.<message>`  emitted events
 *          `sw.<space>.core.<partition>.timer.<day>.<hour>.<minute>.<type>.<id>.<timer>`  timers, by when they are due (UTC)
 *          `sw.<space>.core.<partition>.task.<activity>.<type>.<id>.<n>-<attempt>`  attempts of activities
 *          `sw.<space>.core.<partition>.live.<type>.<id>`                 actors with live children
 *          `sw.<space>.core.<partition>.wait.<type>.<id>.<n>`             messages that wait outside the mailbox, with `.body` behind it the bytes of a large one
 *          `sw.<space>.core.<partition>.checkpoint` and `.lease`          low-water mark and owner
 *          `sw.<space>.core.<partition>.trial`                            what was being handled when owners came to their ends
 *          `sw.<space>.core.space.config`, `.space.type.<type>`, `.space.node.<node>`, `.space.limit.<activity>.<key>`, `.space.worker.<worker>`
 * no stream `sw.<space>.reply.<client>.<ask>`                             answers to `ask`
 *           `sw.<space>.cancel.<activity>`                               attempts of activities that are not wanted any more
 *           `sw.<space>.query.<partition>`, `sw.<space>.query.nodes`     questions to the owner of a partition, and to all nodes
 */
import type { Address } from "./address.ts";
import { fromToken, toToken } from "./names.ts";

/** Which of the two streams of a space. */
export type StreamName = "ingress" | "core";

/** The subjects of one space. */
export class Subjects {
  readonly root: string;
  /** The name of the space. */
  readonly space: string;
  readonly #core: string;
  readonly #ingress: string;

  constructor(space: string) {
    this.space = space;
    this.root = `sw.${space}`;
    this.#core = `${this.root}.core`;
    this.#ingress = `${this.root}.in`;
  }

  /**
   * What a stream of the space listens to. INGRESS lists its partitions: a message for a partition that does not exist, which nobody would ever read,
   * is refused by the server.
   */
  streamSubjects(stream: StreamName, partitions: number): string[] {
    if (stream === "core") return [this.all("core")];
    return Array.from({ length: partitions }, (_, partition) => this.ingressOfPartition(partition));
  }

  /** Everything a stream holds. */
  all(stream: StreamName): string {
    return stream === "core" ? `${this.#core}.>` : `${this.#ingress}.>`;
  }

  ingress(sender: string, partition: number, to: Address, message: string): string {
    return `${this.#ingress}.${toToken(sender, "a sender name")}.${partition}.${to.type}.${toToken(to.id)}.${toToken(message, "a message id")}`;
  }
  ingressOfPartition(partition: number): string {
    return `${this.#ingress}.*.${partition}.>`;
  }
  ingressOfActor(partition: number, to: Address): string {
    return `${this.#ingress}.*.${partition}.${to.type}.${toToken(to.id)}.>`;
  }

  state(partition: number, of: Address): string {
    return `${this.#core}.${partition}.state.${of.type}.${toToken(of.id)}`;
  }
  states(type?: string, partition?: number): string {
    return `${this.#core}.${partition ?? "*"}.state.${type ?? "*"}.>`;
  }

  mail(partition: number, to: Address, message: string): string {
    return `${this.#core}.${partition}.mail.${to.type}.${toToken(to.id)}.${toToken(message, "a message id")}`;
  }
  mails(): string {
    return `${this.#core}.*.mail.>`;
  }
  mailOfPartition(partition: number): string {
    return `${this.#core}.${partition}.mail.>`;
  }
  mailOfActor(partition: number, to: Address): string {
    return `${this.#core}.${partition}.mail.${to.type}.${toToken(to.id)}.>`;
  }

  key(partition: number, of: Address, key: string): string {
    return `${this.#core}.${partition}.key.${of.type}.${toToken(of.id)}.${toToken(key, "an idempotency key")}`;
  }
  keysOfPartition(partition: number): string {
    return `${this.#core}.${partition}.key.>`;
  }

  dead(partition: number, of: Address, letter: string): string {
    return `${this.#core}.${partition}.dead.${of.type}.${toToken(of.id)}.${toToken(letter, "a letter id")}`;
  }
  /** The bytes of a large dead message, beside its letter. */
  body(partition: number, of: Address, letter: string): string {
    return `${this.#core}.${partition}.body.${of.type}.${toToken(of.id)}.${toToken(letter, "a letter id")}`;
  }
  /** One letter, wherever it is. */
  deadLetter(letter: string): string {
    return `${this.#core}.*.dead.*.*.${toToken(letter, "a letter id")}`;
  }
  deadLettersOfPartition(partition: number): string {
    return `${this.#core}.${partition}.dead.>`;
  }
  deadLetters(of: { readonly type?: string; readonly id?: string } = {}): string {
    const { type = "*", id } = of;
    return `${this.#core}.*.dead.${type}.${id === undefined ? "*" : toToken(id)}.*`;
  }
  /** True for the literal subject of a letter of this space. */
  isDeadLetter(subject: string): boolean {
    const tokens = subject.split(".");
    return (
      subject.startsWith(`${this.#core}.`) &&
      tokens.length === 8 &&
      tokens[4] === "dead" &&
      tokens.every((token) => /^[A-Za-z0-9_=-]+$/.test(token))
    );
  }

  /** A message that waits outside the mailbox of its actor. */
  wait(partition: number, of: Address, n: number): string {
    return `${this.#core}.${partition}.wait.${of.type}.${toToken(of.id)}.${n}`;
  }
  waitsOf(partition: number, of: Address): string {
    return `${this.#core}.${partition}.wait.${of.type}.${toToken(of.id)}.>`;
  }
  /** All messages that wait outside the mailboxes of their actors. */
  waits(): string {
    return `${this.#core}.*.wait.>`;
  }
  waitsOfPartition(partition: number): string {
    return `${this.#core}.${partition}.wait.>`;
  }
  /** The bytes of a large message that waits. */
  waitBody(partition: number, of: Address, n: number): string {
    return `${this.wait(partition, of, n)}.body`;
  }

  trial(partition: number): string {
    return `${this.#core}.${partition}.trial`;
  }

  /** Where the owner of a partition answers questions. */
  query(partition: number): string {
    return `${this.root}.query.${partition}`;
  }
  /** Where all nodes answer questions. */
  queryNodes(): string {
    return `${this.root}.query.nodes`;
  }

  topic(partition: number, topic: string, message: string): string {
    return `${this.#core}.${partition}.topic.${toToken(topic, "a topic")}.${message}`;
  }
  topicEvents(topic: string): string {
    return `${this.#core}.*.topic.${toToken(topic, "a topic")}.>`;
  }
  topicsOfPartition(partition: number): string {
    return `${this.#core}.${partition}.topic.>`;
  }

  /** An event emitted by an actor; `event` is its type. */
  emitted(partition: number, by: Address, event: string, message: string): string {
    return `${this.#core}.${partition}.emit.${by.type}.${toToken(by.id)}.${toToken(event, "an event type")}.${message}`;
  }
  /** All that an actor emits; `event` narrows it to one event type. */
  emittedBy(partition: number, by: Address, event?: string): string {
    const type = event === undefined ? "*" : toToken(event, "an event type");
    return `${this.#core}.${partition}.emit.${by.type}.${toToken(by.id)}.${type}.*`;
  }
  emitsOfPartition(partition: number): string {
    return `${this.#core}.${partition}.emit.>`;
  }

  timer(partition: number, of: Address, timer: string, atMs: number): string {
    return `${this.#core}.${partition}.timer.${minuteTokens(atMs)}.${of.type}.${toToken(of.id)}.${timer}`;
  }
  timers(): string {
    return `${this.#core}.*.timer.>`;
  }
  timersOfPartition(partition: number): string {
    return `${this.#core}.${partition}.timer.>`;
  }
  /** The timers that are due within the day, hour or minute (UTC) that begins at `atMs`. */
  timersWithin(partition: number, unit: "day" | "hour" | "minute", atMs: number): string {
    const tokens = minuteTokens(atMs).split(".");
    return `${this.#core}.${partition}.timer.${tokens.slice(0, unit === "day" ? 1 : unit === "hour" ? 2 : 3).join(".")}.>`;
  }
  /** Takes a timer's subject apart; undefined for any other subject. `minuteMs`: the beginning of the minute in which it is due. */
  parseTimer(
    subject: string,
  ): { readonly of: Address; readonly lane: string; readonly timer: string; readonly minuteMs: number } | undefined {
    // sw space core partition timer day hour minute type id timer
    const tokens = subject.split(".");
    if (tokens.length !== 11 || tokens[4] !== "timer") return undefined;
    const minutes = (Number(tokens[5]) * 24 + Number(tokens[6])) * 60 + Number(tokens[7]);
    if (!Number.isSafeInteger(minutes)) return undefined;
    const type = tokens[8] as string;
    const id = fromToken(tokens[9] as string);
    if (id === undefined || !typeToken.test(type)) return undefined;
    return { of: { type, id }, lane: `${type}.${tokens[9]}`, timer: tokens[10] as string, minuteMs: minutes * 60_000 };
  }

  task(partition: number, activity: string, of: Address, n: number, attempt: number): string {
    return `${this.#core}.${partition}.task.${toToken(activity, "an activity name")}.${of.type}.${toToken(of.id)}.${n}-${attempt}`;
  }
  /** All tasks of an activity, in all partitions. */
  tasksOf(activity: string): string {
    return `${this.#core}.*.task.${toToken(activity, "an activity name")}.>`;
  }

  /** Where the workers of an activity hear that an attempt is not wanted any more. */
  cancelled(activity: string): string {
    return `${this.root}.cancel.${toToken(activity, "an activity name")}`;
  }

  live(partition: number, of: Address): string {
    return `${this.#core}.${partition}.live.${of.type}.${toToken(of.id)}`;
  }
  livesOfPartition(partition: number): string {
    return `${this.#core}.${partition}.live.>`;
  }

  /** How much of an activity's limits is used; `key` "" is for the activity as a whole. */
  limit(activity: string, key: string): string {
    return `${this.#core}.space.limit.${toToken(activity, "an activity name")}.${key === "" ? "=" : toToken(key, "an activity key")}`;
  }

  /** The use of an activity's limits, as a whole and for every key. */
  limitsOf(activity: string): string {
    return `${this.#core}.space.limit.${toToken(activity, "an activity name")}.*`;
  }

  checkpoint(partition: number): string {
    return `${this.#core}.${partition}.checkpoint`;
  }
  lease(partition: number): string {
    return `${this.#core}.${partition}.lease`;
  }
  leases(): string {
    return `${this.#core}.*.lease`;
  }
  config(): string {
    return `${this.#core}.space.config`;
  }
  actorType(type: string): string {
    return `${this.#core}.space.type.${type}`;
  }
  actorTypes(): string {
    return `${this.#core}.space.type.>`;
  }
  node(node: string): string {
    return `${this.#core}.space.node.${toToken(node, "a node name")}`;
  }
  nodes(): string {
    return `${this.#core}.space.node.>`;
  }

  worker(worker: string): string {
    return `${this.#core}.space.worker.${toToken(worker, "a worker name")}`;
  }
  workers(): string {
    return `${this.#core}.space.worker.*`;
  }

  reply(client: string, ask: string): string {
    return `${this.root}.reply.${client}.${ask}`;
  }
  repliesOf(client: string): string {
    return `${this.root}.reply.${client}.*`;
  }
  /** True for a literal subject that answers may go to: a message from outside cannot make a node publish anywhere else. */
  isReply(subject: unknown): subject is string {
    return (
      typeof subject === "string" &&
      subject.length <= 256 &&
      subject.startsWith(`${this.root}.reply.`) &&
      /^[A-Za-z0-9_.-]+$/.test(subject) &&
      subject.split(".").length === 5 &&
      !subject.includes("..") &&
      !subject.endsWith(".")
    );
  }

  /** Takes a mailbox subject (of either stream) apart; undefined when it is not one that this product writes. */
  parseMailbox(stream: StreamName, subject: string): MailboxSubject | undefined {
    const tokens = subject.split(".");
    if (stream === "ingress") {
      // sw space in sender partition type id message
      if (tokens.length !== 8) return undefined;
      const sender = fromToken(tokens[3] as string);
      return sender === undefined ? undefined : mailbox(tokens[4], tokens[5], tokens[6], tokens[7], sender);
    }
    // sw space core partition mail type id message
    if (tokens.length !== 8 || tokens[4] !== "mail") return undefined;
    return mailbox(tokens[3], tokens[5], tokens[6], tokens[7], undefined);
  }

  /**
   * Which actor a mailbox subject (of either stream) is for, as tokens that are neither decoded nor checked: the same for all messages of one actor.
   * Undefined when the subject has another number of tokens.
   */
  laneOf(subject: string): string | undefined {
    const tokens = subject.split(".");
    return tokens.length === 8 ? `${tokens[5]}.${tokens[6]}` : undefined;
  }

  /** As {@link Subjects.laneOf}, of any subject of CORE that names an actor behind its kind. */
  actorOf(subject: string): string | undefined {
    const tokens = subject.split(".");
    return tokens.length >= 7 ? `${tokens[5]}.${tokens[6]}` : undefined;
  }

  /** The sender token in an INGRESS subject, not decoded. */
  senderToken(subject: string): string {
    const from = this.#ingress.length + 1;
    return subject.slice(from, subject.indexOf(".", from));
  }

  /** Takes a CORE record's subject of an actor apart: state, key or dead letter. */
  parseRecord(
    subject: string,
  ):
    | { readonly kind: string; readonly partition: number; readonly address: Address; readonly rest: string }
    | undefined {
    const tokens = subject.split(".");
    const partition = partitionToken(tokens[3]);
    const id = tokens[6] === undefined ? undefined : fromToken(tokens[6]);
    if (partition === undefined || id === undefined) return undefined;
    const rest = tokens[7] === undefined ? "" : fromToken(tokens[7]);
    if (rest === undefined) return undefined;
    return { kind: tokens[4] as string, partition, address: { type: tokens[5] as string, id }, rest };
  }

  /** The partition in a CORE subject, or undefined. */
  partitionIn(subject: string): number | undefined {
    return partitionToken(subject.split(".")[3]);
  }

  /** The last token of a subject, decoded. */
  lastName(subject: string): string | undefined {
    return fromToken(subject.slice(subject.lastIndexOf(".") + 1));
  }
}

/** What a mailbox subject says. */
export interface MailboxSubject {
  readonly partition: number;
  readonly to: Address;
  readonly message: string;
  /** INGRESS only: who sent it, as the server's permissions pinned it. */
  readonly sender: string | undefined;
}

/** Day, hour of the day and minute of the hour (UTC) as tokens. */
function minuteTokens(atMs: number): string {
  const minutes = Math.floor(atMs / 60_000);
  return `${Math.floor(minutes / 1440)}.${Math.floor(minutes / 60) % 24}.${minutes % 60}`;
}

const typeToken = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

function mailbox(
  partitionText: string | undefined,
  type: string | undefined,
  idText: string | undefined,
  messageText: string | undefined,
  sender: string | undefined,
): MailboxSubject | undefined {
  const partition = partitionToken(partitionText);
  const id = idText === undefined ? undefined : fromToken(idText);
  const message = messageText === undefined ? undefined : fromToken(messageText);
  if (
    partition === undefined ||
    type === undefined ||
    !typeToken.test(type) ||
    id === undefined ||
    message === undefined
  ) {
    return undefined;
  }
  return { partition, to: { type, id }, message, sender };
}

function partitionToken(token: string | undefined): number | undefined {
  return token !== undefined && /^(0|[1-9][0-9]{0,4})$/.test(token) ? Number(token) : undefined;
}
