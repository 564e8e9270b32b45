/**
 * What is promised of an actor that something waits for: while a letter parks it, or a failed message holds it, it takes nothing else; what stands in line comes
 * before what is in the mailbox, in order (I4); no attempt is forgotten (I6); and what waits is woken, also after a crash (I1).
 *
 * It is worked out from what became of the messages, and compared with what the states say; how the engine finds out whose turn it is does not matter here.
 */
import type { FailedAttempt, LetterRecord, TimerRecord, WaitingRecord } from "../../runtime/core/records.ts";
import { type ActorCommit, type Entry, kindOf, type Mail, type Reading, readJson, type Violation } from "./oracle.ts";

/** Follows every actor through its commits. */
export function checkSupervision(reading: Reading): Violation[] {
  const violations: Violation[] = [];
  for (const [actor, chain] of reading.chains) {
    const follower = new Follower(actor, violations);
    for (const commit of chain) follower.follow(commit);
  }
  return violations;
}

/** What one actor is held by, after so many commits. */
class Follower {
  readonly #actor: string;
  readonly #violations: Violation[];
  /** The letter that parks it. */
  #parkedBy: string | undefined;
  /** The number of the failed message that goes before all others. */
  #hold: number | undefined;
  readonly #line = new Set<number>();
  /** How many attempts of messages that are not done with are known to the log. */
  readonly #attempts = new Map<Mail, number>();

  constructor(actor: string, violations: Violation[]) {
    this.#actor = actor;
    this.#violations = violations;
  }

  follow(commit: ActorCommit): void {
    const where = `${this.#actor} at ${commit.seq}`;
    const records = waitingRecords(commit);
    const letters = new Map<string, LetterRecord>();
    for (const record of commit.outbox) {
      const letter = kindOf(record) === "dead" ? readJson<LetterRecord>(record) : undefined;
      if (letter !== undefined) letters.set(letter.letter, letter);
    }
    const wakesAt = (letter: string): number[] =>
      commit.outbox
        .filter(({ subject }) => subject[subject.lastIndexOf(".") + 1] === letter)
        .flatMap((record) => (kindOf(record) === "timer" ? (readJson<TimerRecord>(record)?.at ?? []) : []));
    const wasOpen = this.#isOpen;
    let lastAt = 0;
    for (const entry of commit.entries) {
      this.#checkTurn(where, entry);
      const put = records.get(`${entry.mail.stream} ${entry.mail.seq}`);
      const letter = letters.get(entry.said.letter ?? "");
      this.#checkAttempts(where, entry, put?.record, letter, commit);
      this.#move(entry, put?.n, letter);
      const { failure, at, message } = entry.said;
      // Whoever owns the actor then knows of nothing else that would wake it.
      if (failure !== undefined && !wakesAt("r").includes(failure.retryAt))
        this.#fail("I1", `${where} sets no timer for the next attempt of ${message}`);
      lastAt = at;
    }
    if (this.#isOpen && !wasOpen && !wakesAt("l").some((at) => at <= lastAt))
      this.#fail("I1", `${where} lets those in line go on, and sets no timer that tells of it`);
    const said = commit.state.waiting?.parked?.letter;
    if (said !== this.#parkedBy)
      this.#fail("I4", `${where} says that it is parked by ${said}, and should be by ${this.#parkedBy}`);
  }

  /** Messages stand in line, and nothing is before them. */
  get #isOpen(): boolean {
    return this.#line.size > 0 && this.#parkedBy === undefined && this.#hold === undefined;
  }

  #fail(invariant: Violation["invariant"], text: string): void {
    this.#violations.push({ invariant, text });
  }

  /** Whatever is not put in line must be the one whose turn it is. */
  #checkTurn(where: string, { mail, said, n }: Entry): void {
    if (said.outcome === "waiting") return;
    const what = `${said.message} (${said.outcome})`;
    if (this.#parkedBy !== undefined) {
      if (!this.#lifts(mail)) this.#fail("I4", `${where} is parked by ${this.#parkedBy} and takes ${what}`);
      return;
    }
    if (this.#hold !== undefined) {
      if (n !== this.#hold) this.#fail("I4", `${where} takes ${what} before number ${this.#hold}, which holds it`);
      return;
    }
    if (this.#line.size === 0) return;
    const first = Math.min(...this.#line);
    const isRetry = n !== undefined && !this.#line.has(n);
    if (n !== first && !isRetry)
      this.#fail("I4", `${where} takes ${what} before number ${first}, which stands in line`);
  }

  /** An attempt that failed is told with its number, in the record that waits and in the letter. */
  #checkAttempts(
    where: string,
    { mail, said }: Entry,
    record: WaitingRecord | undefined,
    letter: LetterRecord | undefined,
    { state }: ActorCommit,
  ): void {
    const before = this.#attempts.get(mail) ?? 0;
    const kept = (attempts: readonly FailedAttempt[] | undefined, count: number): boolean =>
      (attempts?.length ?? 0) >= Math.min(count, 50);
    if (said.outcome === "failed") {
      const attempt = said.failure?.attempt ?? 0;
      // An attempt whose commit was refused may be among them.
      if (attempt <= before)
        this.#fail("I6", `${where} fails on ${said.message} at attempt ${attempt} after ${before}`);
      if (record?.attemptCount !== attempt || !kept(record.attempts, attempt))
        this.#fail("I6", `${where} keeps ${record?.attemptCount} attempts of ${said.message}, which had ${attempt}`);
      const next = Object.values(state.waiting?.retries ?? {}).map((retry) => retry.attempt);
      if (!next.includes(attempt + 1)) this.#fail("I6", `${where} does not say that attempt ${attempt + 1} is to come`);
      this.#attempts.set(mail, attempt);
    } else if (letter?.reason === "attempts" || letter?.reason === "terminal") {
      // In INGRESS anyone can write anything.
      const earlier = mail.stream === "core" ? (mail.envelope?.redrive?.attempts ?? 0) : 0;
      const count = letter.attemptCount - earlier;
      if (count <= before || !kept(letter.attempts, count))
        this.#fail("I6", `letter ${letter.letter} of ${where} tells of ${count} attempts after ${before} that failed`);
    }
  }

  /** Takes over what the message changes. */
  #move({ mail, said, n }: Entry, to: number | undefined, letter: LetterRecord | undefined): void {
    if (this.#lifts(mail)) this.#parkedBy = undefined;
    if (n !== undefined) this.#line.delete(n);
    if (n === this.#hold) this.#hold = undefined;
    if (said.outcome === "waiting" && to !== undefined) this.#line.add(to);
    // The policy of `loose` lets others overtake what has failed.
    if (said.outcome === "failed" && !this.#actor.startsWith("loose/")) this.#hold = to;
    if (letter?.parks === true) this.#parkedBy = letter.letter;
  }

  /** An operator has seen to the letter: its message is back, or the actor is released. */
  #lifts({ stream, envelope }: Mail): boolean {
    if (this.#parkedBy === undefined || stream !== "core" || envelope === undefined) return false;
    if (envelope.kind !== "release") return envelope.redrive?.letter === this.#parkedBy;
    return envelope.letter === undefined || envelope.letter === this.#parkedBy;
  }
}

/** The records of what waits that a commit has written, by where their messages came from. */
function waitingRecords({ outbox }: ActorCommit): Map<string, { readonly n: number; readonly record: WaitingRecord }> {
  const found = new Map<string, { readonly n: number; readonly record: WaitingRecord }>();
  for (const each of outbox) {
    if (kindOf(each) !== "wait" || each.subject.endsWith(".body")) continue;
    const record = readJson<WaitingRecord>(each);
    const n = Number(each.subject.slice(each.subject.lastIndexOf(".") + 1));
    if (record !== undefined) found.set(`${record.source.stream} ${record.source.seq}`, { n, record });
  }
  return found;
}
