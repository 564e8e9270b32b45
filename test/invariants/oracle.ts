/**
 * The oracle: says from the two journals and from what clients and nodes saw whether the invariants of DESIGN.md held.
 *
 * 1. It knows the stored formats and nothing of the engine: what it expects of a record it works out from other records.
 * 2. A journal holds every record ever stored, whatever was purged since; so each commit is judged, not only the last one.
 * 3. I7 is not its business: to replay a decision takes the engine's own code (replay.ts).
 */
import { formatAddress, partitionOf } from "../../runtime/core/address.ts";
import { decodeEnvelope, type Envelope } from "../../runtime/core/envelope.ts";
import { fromToken } from "../../runtime/core/names.ts";
import type {
  CheckpointRecord,
  HandledMessage,
  KeyRecord,
  LetterRecord,
  StateRecord,
  WaitingRecord,
} from "../../runtime/core/records.ts";
import { type StreamName, Subjects } from "../../runtime/core/subjects.ts";
import type { LogRecord } from "../../runtime/log/log.ts";

/** What a client was told about one message that it sent. */
export interface SendEntry {
  readonly sender: string;
  /** `type/id`. */
  readonly to: string;
  readonly message: string;
  readonly subject: string;
  readonly key: string | undefined;
  /** `confirmed`: stored, or one with its key was. `unknown`: the client gave up. `open`: not settled yet. */
  status: "open" | "confirmed" | "unknown";
  /** Where the log holds it, when it is confirmed. */
  seq: number;
}

/** A purge that a node asked for, and how many records CORE held at that moment. */
export interface PurgeEntry {
  readonly stream: StreamName;
  readonly filter: string;
  readonly beforeSeq: number;
  readonly coreLength: number;
}

/** Something that left a node because of a message: a live action or an answer, and how many records CORE held at that moment. */
export interface EffectEntry {
  /** `type/id`. */
  readonly actor: string;
  readonly message: string;
  /** For answers: the revision and outcome they told. */
  readonly answer: { readonly revision: number; readonly outcome: string } | undefined;
  readonly coreLength: number;
}

/** Everything the oracle looks at. */
export interface Evidence {
  readonly space: string;
  readonly partitions: number;
  /** Every record ever stored. */
  readonly journal: Readonly<Record<StreamName, readonly LogRecord[]>>;
  /** What is stored now. */
  readonly stored: Readonly<Record<StreamName, readonly LogRecord[]>>;
  /** In the order in which each client was asked to send. */
  readonly sends: readonly SendEntry[];
  readonly purges: readonly PurgeEntry[];
  readonly effects: readonly EffectEntry[];
  /** True when the world was given the time to handle everything. */
  readonly isQuiet: boolean;
}

/** A broken promise. */
export interface Violation {
  readonly invariant: "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "progress" | "machine" | "defect";
  readonly text: string;
}

/** A message in a mailbox, and what became of it. */
export interface Mail {
  readonly stream: StreamName;
  readonly seq: number;
  readonly record: LogRecord;
  readonly partition: number;
  /** `type/id`; `_/<partition>` for what has no usable address. */
  readonly actor: string;
  /** Undefined when the bytes are no message. */
  readonly envelope: Envelope | undefined;
  /** From whom it came: a client or an actor. */
  readonly by: string | undefined;
  handled: Handling | undefined;
  /** Sequence of the state record that moved it out of the mailbox, when it was not handled at once. */
  moved: number | undefined;
}

/** How one message was handled. */
export interface Handling {
  readonly said: HandledMessage;
  /** Sequence of the state record that says so. */
  readonly stateSeq: number;
  /** The actor's revision after it. */
  readonly revision: number;
}

/** What one commit says of one message. */
export interface Entry {
  readonly mail: Mail;
  readonly said: HandledMessage;
  /** The number under which it waited before; undefined: it was in the mailbox. */
  readonly n: number | undefined;
}

/** One commit of one actor. */
export interface ActorCommit {
  readonly seq: number;
  readonly state: StateRecord;
  readonly entries: readonly Entry[];
  readonly outbox: readonly LogRecord[];
}

/** What the oracle read out of the journals. */
export interface Reading {
  readonly violations: Violation[];
  /** All commits of every actor, oldest first. */
  readonly chains: ReadonlyMap<string, readonly ActorCommit[]>;
  readonly mails: readonly Mail[];
}

/** Judges I1 to I6; the reading it made on the way serves further checks. */
export function judge(evidence: Evidence): Reading {
  return new Judge(evidence).run();
}

class Judge {
  readonly #evidence: Evidence;
  readonly #subjects: Subjects;
  readonly #violations: Violation[] = [];
  readonly #mails: Mail[] = [];
  readonly #mailsOf = new Map<string, Record<StreamName, Mail[]>>();
  readonly #chains = new Map<string, ActorCommit[]>();
  /** What waits for each actor outside its mailbox, by number. */
  readonly #waiting = new Map<string, Map<number, Mail>>();

  constructor(evidence: Evidence) {
    this.#evidence = evidence;
    this.#subjects = new Subjects(evidence.space);
  }

  run(): Reading {
    const { journal } = this.#evidence;
    for (const record of journal.ingress) this.#readMail("ingress", record);
    for (const record of journal.core) if (kindOf(record) === "mail") this.#readMail("core", record);
    this.#readCommits();
    for (const [actor, chain] of this.#chains) this.#checkKeysAndIds(actor, chain);
    this.#checkNothingLost();
    this.#checkOrder();
    this.#checkCheckpoints();
    this.#checkPurges();
    this.#checkEffects();
    return { violations: this.#violations, chains: this.#chains, mails: this.#mails };
  }

  #fail(invariant: Violation["invariant"], text: string): void {
    if (this.#violations.length < 20) this.#violations.push({ invariant, text });
  }

  #readMail(stream: StreamName, record: LogRecord): void {
    const parsed = this.#subjects.parseMailbox(stream, record.subject);
    const named = Number(record.subject.split(".")[stream === "ingress" ? 4 : 3]);
    const isAddressed = parsed !== undefined && partitionOf(parsed.to, this.#evidence.partitions) === parsed.partition;
    const actor = isAddressed ? formatAddress(parsed.to) : `_/${named}`;
    const envelope = isAddressed ? readEnvelope(record.data) : undefined;
    const by = parsed?.sender ?? envelope?.from;
    const mail: Mail = {
      stream,
      seq: record.seq,
      record,
      partition: named,
      actor,
      envelope,
      by,
      handled: undefined,
      moved: undefined,
    };
    this.#mails.push(mail);
    let mailbox = this.#mailsOf.get(actor);
    if (mailbox === undefined) {
      mailbox = { ingress: [], core: [] };
      this.#mailsOf.set(actor, mailbox);
    }
    mailbox[stream].push(mail);
  }

  /** Walks CORE once: chains the state records (I2, I5) and gives every other record to its commit (I3). */
  #readCommits(): void {
    const { core } = this.#evidence.journal;
    for (let i = 0; i < core.length; i++) {
      const record = core[i] as LogRecord;
      const kind = kindOf(record);
      if (kind === "state") {
        i += this.#readCommit(i);
      } else if (kind === "dead" && readJson<LetterRecord>(record)?.status !== "dead") {
        // An operator closed a letter; with it goes, when it was redriven, the message, and when it was dropped, the release of the actor that it parks.
        const letter = readJson<LetterRecord>(record);
        const next = core[i + 1];
        const mail = next === undefined || kindOf(next) !== "mail" ? undefined : readEnvelope(next.data);
        if (letter?.status === "dropped") {
          if (letter.parks !== true) continue;
          if (mail?.kind === "release" && mail.letter === letter.letter) i++;
          else this.#fail("I3", `letter ${letter.letter} is dropped at ${record.seq}, but its actor is not released`);
        }
        if (letter?.status !== "redriven") continue;
        if (mail?.redrive?.letter === letter.letter) i++;
        else this.#fail("I3", `letter ${letter.letter} is marked as redriven at ${record.seq}, but no message follows`);
      } else if (emitted.has(kind)) {
        this.#fail("I3", `${record.subject} at ${record.seq} is in the log without the state that caused it`);
      }
    }
  }

  /** Reads the commit that begins at an index; returns how many records follow its state. */
  #readCommit(index: number): number {
    const { core } = this.#evidence.journal;
    const record = core[index] as LogRecord;
    const address = this.#subjects.parseRecord(record.subject)?.address;
    const state = readJson<StateRecord>(record);
    if (address === undefined || state === undefined) {
      this.#fail("I5", `the state record ${record.subject} at ${record.seq} cannot be read`);
      return 0;
    }
    const actor = formatAddress(address);
    const where = `${actor} at ${record.seq} (commit ${state.commit})`;
    let chain = this.#chains.get(actor);
    if (chain === undefined) {
      chain = [];
      this.#chains.set(actor, chain);
    }
    const before = chain[chain.length - 1];
    if (state.previous !== (before?.seq ?? 0)) {
      this.#fail("I5", `${where} names ${state.previous} as its predecessor, which is ${before?.seq ?? 0}`);
    }
    const outbox = core.slice(index + 1, index + 1 + state.outbox);
    const entries = this.#handledBy(actor, where, record.seq, state, before?.state, outbox);
    if (outbox.length < state.outbox) {
      this.#fail("I3", `${where} announces ${state.outbox} records, ${outbox.length} follow`);
    }
    const strangers = outbox.filter((each) => !belongsTo(each, record, state, actor));
    if (strangers.length > 0) {
      this.#fail("I3", `${where} announces ${state.outbox} records, but ${strangers[0]?.subject} stands among them`);
    }
    const isTornOff = core[index + 1 + state.outbox];
    if (isTornOff !== undefined && emitted.has(kindOf(isTornOff)) && belongsTo(isTornOff, record, state, actor)) {
      const isRedrive = kindOf(isTornOff) === "dead" && readJson<LetterRecord>(isTornOff)?.status !== "dead";
      if (!isRedrive) this.#fail("I3", `${where} is followed by more than the ${state.outbox} records it announces`);
    }
    this.#checkLetters(where, entries, outbox);
    chain.push({ seq: record.seq, state, entries, outbox });
    return strangers.length > 0 ? 0 : outbox.length;
  }

  /**
   * Finds the messages that a state record tells of: all those of the mailbox between its predecessor's cursor and its own, and some of those that waited
   * outside. What waits afterwards must be what waited before, without what was handled, and with what was moved.
   */
  #handledBy(
    actor: string,
    where: string,
    stateSeq: number,
    state: StateRecord,
    before: StateRecord | undefined,
    outbox: readonly LogRecord[],
  ): Entry[] {
    const from = before?.cursor ?? { ingress: 0, core: 0 };
    const revisionBefore = before?.revision ?? 0;
    if (state.revision !== revisionBefore + state.handled.length) {
      this.#fail(
        "I5",
        `${where} has revision ${state.revision} after ${revisionBefore} and ${state.handled.length} messages`,
      );
    }
    if (state.cursor.ingress < from.ingress || state.cursor.core < from.core) {
      this.#fail("I2", `the cursor of ${where} went back: ${JSON.stringify(from)} to ${JSON.stringify(state.cursor)}`);
    }
    const mailbox = this.#mailsOf.get(actor);
    const between = (stream: StreamName): Mail[] =>
      (mailbox?.[stream] ?? []).filter((mail) => mail.seq > from[stream] && mail.seq <= state.cursor[stream]);
    const ingress = between("ingress");
    const core = between("core");
    const waiting = this.#waiting.get(actor) ?? new Map<number, Mail>();
    this.#waiting.set(actor, waiting);
    const after = numbersIn(state);
    const order = interleave(state.handled, ingress, core, waiting, after, 0, 0, []);
    if (order === undefined) {
      const idsOf = (mails: Iterable<Mail>): string => [...mails].map((mail) => mail.envelope?.id ?? "?").join(" ");
      this.#fail(
        "I1",
        `${where} moves its cursor over [${idsOf(ingress)}] and [${idsOf(core)}], [${idsOf(waiting.values())}] waits, but it says that it handled [${state.handled
          .map((each) => `${each.message} ${each.outcome}`)
          .join(", ")}] in this order`,
      );
      return [];
    }
    const moved = new Map<string, number>();
    for (const record of outbox) {
      if (kindOf(record) !== "wait" || record.subject.endsWith(".body")) continue;
      const source = readJson<WaitingRecord>(record)?.source;
      moved.set(`${source?.stream} ${source?.seq}`, Number(record.subject.slice(record.subject.lastIndexOf(".") + 1)));
    }
    for (const [i, { mail, said, n }] of order.entries()) {
      if (mail.stream === "core" && mail.seq >= stateSeq) this.#fail("I1", `${where} handled a message not stored yet`);
      const name = `${mail.stream} ${mail.seq}`;
      if (isLater(said)) {
        const number = moved.get(name);
        if (number === undefined) this.#fail("I1", `${where} puts ${said.message} off without a record of it`);
        else if (n !== undefined && n !== number) this.#fail("I1", `${where} gives ${said.message} another number`);
        else waiting.set(number, mail);
        mail.moved ??= stateSeq;
        continue;
      }
      if (n !== undefined) waiting.delete(n);
      mail.handled = { said, stateSeq, revision: revisionBefore + i + 1 };
    }
    const left = [...waiting.keys()].sort((x, y) => x - y);
    if (left.join() !== after.join())
      this.#fail("I1", `${where} says that ${after.join()} wait, but ${left.join()} do`);
    return order;
  }

  /** Every dead message has its letter in the same commit, and no letter is without a dead message (I6). */
  #checkLetters(where: string, entries: readonly Entry[], outbox: readonly LogRecord[]): void {
    const letters = outbox
      .filter((record) => kindOf(record) === "dead")
      .map((record) => readJson<LetterRecord>(record));
    const dead = entries.filter(({ said }) => said.outcome === "dead");
    for (const { mail, said } of dead) {
      const letter = letters.find((each) => each?.letter === said.letter);
      if (letter === undefined)
        this.#fail("I6", `${where} says that ${mail.envelope?.id ?? mail.seq} is dead, without a letter`);
      else if (letter.source.seq !== mail.seq || letter.source.stream !== mail.stream)
        this.#fail("I6", `letter ${letter.letter} of ${where} names another message than the one that died`);
      else if (letter.explanation === "") this.#fail("I6", `letter ${letter.letter} of ${where} gives no reason`);
    }
    if (letters.length > dead.length) this.#fail("I6", `${where} has a letter of a message that did not die`);
  }

  /** A message id and an idempotency key change an actor at most once (I2). */
  #checkKeysAndIds(actor: string, chain: readonly ActorCommit[]): void {
    const applied = new Set<string>();
    const keys = new Set<string>();
    for (const commit of chain) {
      const written = new Set<string>();
      for (const record of commit.outbox) {
        if (kindOf(record) === "key") written.add(this.#subjects.lastName(record.subject) ?? "");
      }
      for (const { mail, said } of commit.entries) {
        const { envelope } = mail;
        const { outcome } = said;
        if (isLater(said)) continue;
        if (envelope === undefined) {
          if (outcome !== "dead") this.#fail("I6", `${actor} handled bytes that are no message as ${outcome}`);
          continue;
        }
        const { id, key } = envelope;
        const changes = outcome === "applied" || outcome === "created" || outcome === "ignored";
        if (changes && applied.has(id)) this.#fail("I2", `${actor} handled message ${id} twice`);
        if (changes) applied.add(id);
        if (key === undefined) {
          if (outcome === "duplicate") this.#fail("I2", `${actor} took ${id}, which has no key, for a duplicate`);
          continue;
        }
        if (changes && keys.has(key)) this.#fail("I2", `${actor} applied key ${key} twice, the second time with ${id}`);
        if (outcome === "duplicate" && !keys.has(key))
          this.#fail("I1", `${actor} took ${id} for a duplicate, but nothing with key ${key} was applied`);
        if (changes && !written.has(key)) this.#fail("I3", `${actor} applied key ${key} without remembering it`);
        if (changes) keys.add(key);
      }
    }
  }

  /** A confirmed message was handled, or is still in its mailbox (I1); given time, it was handled (progress). */
  #checkNothingLost(): void {
    const { sends, stored, isQuiet } = this.#evidence;
    const bySeq = new Map(
      this.#mails.filter((mail) => mail.stream === "ingress").map((mail) => [mail.seq, mail] as const),
    );
    for (const send of sends) {
      if (send.status !== "confirmed") continue;
      const mail = bySeq.get(send.seq);
      if (mail === undefined || mail.record.subject !== send.subject)
        this.#fail("I1", `message ${send.message} to ${send.to} was confirmed, but was never stored at ${send.seq}`);
      else if (send.key === undefined && mail.envelope?.id !== send.message)
        this.#fail("I1", `message ${send.message} to ${send.to} was confirmed, but ${mail.envelope?.id} is there`);
    }
    const waits = new Set(
      stored.core.filter((record) => kindOf(record) === "wait").map((record) => this.#waitOf(record)),
    );
    const left = {
      ingress: new Set(stored.ingress.map((record) => record.seq)),
      core: new Set(stored.core.map((record) => record.seq)),
    };
    for (const mail of this.#mails) {
      if (mail.handled !== undefined) continue;
      const what = `${mail.envelope?.id ?? "a message"} to ${mail.actor} (${mail.stream} ${mail.seq})`;
      if (mail.moved !== undefined) {
        const n = [...(this.#waiting.get(mail.actor) ?? [])].find(([, each]) => each === mail)?.[0];
        if (n === undefined || !waits.has(`${mail.actor} ${n}`)) this.#fail("I1", `${what}, which waits, is gone`);
        else if (isQuiet) this.#fail("progress", `${what} waits still`);
        continue;
      }
      if (!left[mail.stream].has(mail.seq)) this.#fail("I1", `${what} is gone and was never handled`);
      else if (isQuiet) this.#fail("progress", `${what} was not handled`);
    }
    const letters = new Set(stored.core.filter((record) => kindOf(record) === "dead").map((record) => record.subject));
    for (const mail of this.#mails) {
      const letter = mail.handled?.said.letter;
      if (letter === undefined || mail.handled?.said.outcome !== "dead") continue;
      const suffix = `.${letter}`;
      if (![...letters].some((subject) => subject.endsWith(suffix)))
        this.#fail("I6", `the letter ${letter} of ${mail.actor} cannot be found any more`);
    }
  }

  /** Whose message waits in a record, and under which number. */
  #waitOf({ subject }: LogRecord): string {
    const [, , , , , type = "", id = "", n] = subject.split(".");
    return `${type}/${fromToken(id)} ${n}`;
  }

  /** What one client sent to one actor is handled in the order in which it was sent (I4). */
  #checkOrder(): void {
    const first = new Map<string, Mail>();
    for (const mail of this.#mails) {
      if (mail.stream === "ingress" && mail.envelope !== undefined && !first.has(mail.envelope.id))
        first.set(mail.envelope.id, mail);
    }
    const last = new Map<string, { readonly revision: number; readonly message: string }>();
    for (const send of this.#evidence.sends) {
      const mail = first.get(send.message);
      // Whoever gives up on a message does not know where it stands, so no order is promised to him for it.
      if (send.status !== "confirmed" || mail?.handled === undefined || mail.actor !== send.to) continue;
      // Its policy lets the others overtake what fails.
      if (send.to.startsWith("loose/")) continue;
      const pair = `${send.sender} ${send.to}`;
      const { revision } = mail.handled;
      const before = last.get(pair);
      if (before !== undefined && before.revision >= revision)
        this.#fail(
          "I4",
          `${send.to} handled ${send.message} before ${before.message}, which ${send.sender} sent earlier`,
        );
      last.set(pair, { revision, message: send.message });
    }
  }

  /** A checkpoint names only what the log shows as handled at that moment (I1). */
  #checkCheckpoints(): void {
    const byPartition = new Map<number, Mail[]>();
    for (const mail of this.#mails) {
      const mails = byPartition.get(mail.partition);
      if (mails === undefined) byPartition.set(mail.partition, [mail]);
      else mails.push(mail);
    }
    for (const record of this.#evidence.journal.core) {
      if (kindOf(record) !== "checkpoint") continue;
      const cursor = readJson<CheckpointRecord>(record)?.cursor;
      if (cursor === undefined) continue;
      for (const mail of byPartition.get(Number(record.subject.split(".")[3])) ?? []) {
        if (mail.seq > cursor[mail.stream] || hasLeftBefore(mail, record.seq)) continue;
        this.#fail(
          "I1",
          `the checkpoint at ${record.seq} passes over ${mail.envelope?.id ?? "a message"} to ${mail.actor} (${mail.stream} ${mail.seq}), which was not handled by then`,
        );
      }
    }
  }

  /** A purge takes only what the log shows as handled at that moment (I1). */
  #checkPurges(): void {
    for (const purge of this.#evidence.purges) {
      const filter = purge.filter.split(".");
      this.#checkPurgeOfWaiting(purge, filter);
      for (const mail of this.#mails) {
        if (mail.stream !== purge.stream || mail.seq >= purge.beforeSeq) continue;
        if (!isMatch(filter, mail.record.subject.split("."))) continue;
        if (hasLeftBefore(mail, purge.coreLength + 1)) continue;
        this.#fail(
          "I1",
          `a purge of ${purge.filter} below ${purge.beforeSeq} takes ${mail.envelope?.id ?? "a message"} to ${mail.actor} (${mail.seq}), which was not handled by then`,
        );
      }
    }
  }

  /** A record of what waits goes when the message was handled, or has a newer record. */
  #checkPurgeOfWaiting({ stream, beforeSeq, coreLength, filter: text }: PurgeEntry, filter: readonly string[]): void {
    if (stream !== "core" || !text.includes(".wait.")) return;
    const { core } = this.#evidence.journal;
    for (const record of core) {
      if (record.seq >= beforeSeq || kindOf(record) !== "wait") continue;
      if (!isMatch(filter, record.subject.split("."))) continue;
      if (core.some((each) => each.subject === record.subject && each.seq >= beforeSeq && each.seq <= coreLength))
        continue;
      const source = readJson<WaitingRecord>(record)?.source;
      const mail = this.#mails.find(({ stream: from, seq }) => from === source?.stream && seq === source.seq);
      if (mail?.handled !== undefined && mail.handled.stateSeq <= coreLength) continue;
      this.#fail("I1", `a purge of ${text} below ${beforeSeq} takes ${record.subject}, which was not handled by then`);
    }
  }

  /** Actions and answers follow from a commit that is in the log; an action runs at most once (I2, I3). */
  #checkEffects(): void {
    const told = new Map<string, Mail[]>();
    for (const mail of this.#mails) {
      if (mail.envelope === undefined) continue;
      const name = `${mail.actor} ${mail.envelope.id}`;
      const mails = told.get(name);
      if (mails === undefined) told.set(name, [mail]);
      else mails.push(mail);
    }
    const ran = new Set<string>();
    for (const { actor, message, answer, coreLength } of this.#evidence.effects) {
      const name = `${actor} ${message}`;
      const cause = (told.get(name) ?? []).find((mail) => {
        if (!isHandledBefore(mail, coreLength + 1)) return false;
        const { revision, said } = mail.handled as Handling;
        return answer === undefined
          ? said.outcome === "applied" || said.outcome === "created"
          : answer.revision === revision && answer.outcome === said.outcome;
      });
      if (cause === undefined) {
        const what = answer === undefined ? "an action ran" : `an answer (${JSON.stringify(answer)}) was given`;
        this.#fail("I3", `${what} for ${message} to ${actor} without a commit in the log`);
      }
      if (answer !== undefined) continue;
      if (ran.has(name)) this.#fail("I2", `the action of ${message} to ${actor} ran twice`);
      ran.add(name);
    }
  }
}

/** Kinds of records that only a commit writes. */
const emitted: ReadonlySet<string> = new Set(["mail", "topic", "emit", "key", "dead", "body", "wait", "timer"]);

/** The kind of a CORE record, as its subject says it. */
export function kindOf(record: LogRecord): string {
  const start = nthDot(record.subject, 4) + 1;
  const end = record.subject.indexOf(".", start);
  return record.subject.slice(start, end < 0 ? undefined : end);
}

function nthDot(text: string, n: number): number {
  let at = -1;
  for (let i = 0; i < n; i++) at = text.indexOf(".", at + 1);
  return at;
}

/** Parses a record; undefined when it is not JSON. */
export function readJson<R>(record: LogRecord): R | undefined {
  try {
    return JSON.parse(Buffer.from(record.data.buffer, record.data.byteOffset, record.data.length).toString()) as R;
  } catch {
    return undefined;
  }
}

function readEnvelope(data: Uint8Array): Envelope | undefined {
  try {
    return decodeEnvelope(data);
  } catch {
    return undefined;
  }
}

function isHandledBefore(mail: Mail, coreSeq: number): boolean {
  return mail.handled !== undefined && mail.handled.stateSeq < coreSeq;
}

/** It was handled, or stands in a record of its own. */
function hasLeftBefore(mail: Mail, coreSeq: number): boolean {
  return (mail.moved !== undefined && mail.moved < coreSeq) || isHandledBefore(mail, coreSeq);
}

/** A message that is tried again, or stands in line, is not handled yet. */
function isLater({ outcome }: HandledMessage): boolean {
  return outcome === "failed" || outcome === "waiting";
}

/** The numbers of the messages that wait, as a state says, in ascending order. */
function numbersIn({ waiting }: StateRecord): number[] {
  if (waiting === undefined) return [];
  const numbers = new Set(Object.keys(waiting.retries ?? {}).map(Number));
  for (let n = waiting.from; n < waiting.next; n++) if (waiting.gone?.includes(n) !== true) numbers.add(n);
  return [...numbers].sort((a, b) => a - b);
}

/** True when a record can be an emission of the commit: it names the commit, or stands under the actor's own subjects. */
function belongsTo(record: LogRecord, stateRecord: LogRecord, state: StateRecord, actor: string): boolean {
  const kind = kindOf(record);
  const tokens = record.subject.split(".");
  if (kind === "mail") {
    return tokens[7]?.startsWith(`${state.commit}-`) === true && readEnvelope(record.data)?.from === actor;
  }
  if (kind === "timer") {
    const own = stateRecord.subject.split(".");
    return tokens[3] === own[3] && tokens[8] === own[5] && tokens[9] === own[6];
  }
  if (kind === "topic") return tokens[6]?.startsWith(`${state.commit}-`) === true;
  if (kind !== "emit" && kind !== "key" && kind !== "dead" && kind !== "body" && kind !== "wait") return false;
  const own = stateRecord.subject.split(".");
  if (tokens[3] !== own[3] || tokens[5] !== own[5] || tokens[6] !== own[6]) return false;
  if (kind === "emit") return tokens[8]?.startsWith(`${state.commit}-`) === true;
  if (kind !== "key") return true;
  const message = readJson<KeyRecord>(record)?.message;
  return state.handled.some((each) => each.message === message);
}

/** Puts the messages of two mailboxes, and some that waited, into the order in which they were handled; undefined when there is none that fits. */
function interleave(
  handled: readonly HandledMessage[],
  ingress: readonly Mail[],
  core: readonly Mail[],
  waiting: ReadonlyMap<number, Mail>,
  after: readonly number[],
  i: number,
  c: number,
  order: Entry[],
): Entry[] | undefined {
  const said = handled[order.length];
  if (said === undefined) return i === ingress.length && c === core.length ? order : undefined;
  const isOf = (mail: Mail | undefined): mail is Mail => (mail?.envelope?.id ?? "") === said.message;
  const candidates: Array<[Entry, number, number]> = [];
  const fromIngress = ingress[i];
  const fromCore = core[c];
  if (fromIngress !== undefined && isOf(fromIngress))
    candidates.push([{ mail: fromIngress, said, n: undefined }, i + 1, c]);
  if (fromCore !== undefined && isOf(fromCore)) candidates.push([{ mail: fromCore, said, n: undefined }, i, c + 1]);
  for (const [n, mail] of waiting) {
    // Afterwards it waits still, or does not, as was said of it.
    if (!isOf(mail) || said.outcome === "waiting" || after.includes(n) !== (said.outcome === "failed")) continue;
    if (!order.some((entry) => entry.n === n)) candidates.push([{ mail, said, n }, i, c]);
  }
  for (const [entry, nextI, nextC] of candidates) {
    order.push(entry);
    const found = interleave(handled, ingress, core, waiting, after, nextI, nextC, order);
    if (found !== undefined) return found;
    order.pop();
  }
  return undefined;
}

function isMatch(filter: readonly string[], subject: readonly string[]): boolean {
  for (let i = 0; i < filter.length; i++) {
    if (filter[i] === ">") return subject.length > i;
    if (filter[i] !== "*" && filter[i] !== subject[i]) return false;
  }
  return filter.length === subject.length;
}
