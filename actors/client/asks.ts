/**
 * Asks: messages whose senders wait for the outcome.
 *
 * 1. Nodes answer by a signal, which may get lost. Whatever was answered is in the log as well, and is looked up there when no answer comes.
 * 2. An ask ends once: with the outcome, with the error of its send, by its timeout, by its signal, or with the client.
 */
import { formatAddress } from "../../runtime/core/address.ts";
import { AskTimeoutError, isStatewrightError } from "../../runtime/core/errors.ts";
import { type Answer, decodeRecord, type LeaseRecord } from "../../runtime/core/records.ts";
import { sleep } from "../../runtime/core/time.ts";
import { onAbort } from "./aborts.ts";
import { type AskResult, findAnswer, type Question, readAnswer, resultOf } from "./answers.ts";
import { type ClientContext, stoppedError } from "./context.ts";
import { Deadlines } from "./deadlines.ts";
import type { Outgoing, SendReceipt } from "./outgoing.ts";

const firstLookMs = 500;
const longestPauseMs = 2000;
const patienceMs = 1000;

interface Pending extends Question {
  readonly token: string;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly resolve: (result: AskResult) => void;
  readonly reject: (error: unknown) => void;
  storedId: string | undefined;
  receipt: SendReceipt | undefined;
  /** Settles, never rejects, with the send. */
  sent: Promise<void>;
  sendError: unknown;
  unlisten: (() => void) | undefined;
  look: Look | undefined;
  /** How long to wait before the next look. */
  pauseMs: number;
  isLooking: boolean;
  isTimingOut: boolean;
}

/** When the log is to be searched for the answer. */
interface Look {
  readonly pending: Pending;
  readonly deadlineMs: number;
}

/** Asks that wait for their answers. */
export class Asks {
  readonly #context: ClientContext;
  readonly #pending = new Map<string, Pending>();
  readonly #deadlines: Deadlines<Pending>;
  readonly #looks: Deadlines<Look>;
  #counter = 0;
  #unlisten: (() => void) | undefined;

  constructor(context: ClientContext) {
    this.#context = context;
    this.#deadlines = new Deadlines(context.time, (pending) => void this.#expire(pending));
    this.#looks = new Deadlines(context.time, ({ pending }) => void this.#look(pending));
  }

  /** Names an ask, and says where its answer goes. */
  open(): { readonly token: string; readonly reply: string } {
    const { log, subjects, clientId } = this.#context;
    this.#unlisten ??= log.listen(subjects.repliesOf(clientId), (subject, data) => this.#onAnswer(subject, data));
    const token = (this.#counter++).toString(36);
    return { token, reply: subjects.reply(clientId, token) };
  }

  /**
   * Waits for the outcome of a message; `send` sends it.
   *
   * Errors: those of the send; `DeadLetteredError`; `AskTimeoutError`; the signal's reason; `SystemStoppedError`.
   */
  ask(
    token: string,
    message: Outgoing,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    send: () => Promise<SendReceipt>,
  ): Promise<AskResult> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const pending: Pending = {
        token,
        timeoutMs,
        deadlineMs: this.#context.time.elapsed() + timeoutMs,
        to: message.to,
        partition: message.partition,
        id: message.id,
        storedId: undefined,
        keySubject: message.keySubject,
        resolve,
        reject,
        receipt: undefined,
        sent: Promise.resolve(),
        sendError: undefined,
        unlisten: undefined,
        look: undefined,
        pauseMs: firstLookMs,
        isLooking: false,
        isTimingOut: false,
      };
      if (signal !== undefined) {
        pending.unlisten = onAbort(signal, () => this.#fail(pending, signal.reason));
      }
      this.#pending.set(token, pending);
      this.#deadlines.add(pending);
      pending.sent = send().then(
        (receipt) => this.#onStored(pending, receipt),
        (error) => this.#onNotSent(pending, error),
      );
    });
  }

  /** Rejects whatever is still pending, and listens no more. */
  stop(): void {
    this.#unlisten?.();
    for (const pending of [...this.#pending.values()]) {
      const known =
        pending.receipt === undefined
          ? ""
          : ` The message is stored (sequence ${pending.receipt.seq}) and may still be applied.`;
      this.#fail(pending, stoppedError(`wait for the answer of ${formatAddress(pending.to)}`, known));
    }
    this.#deadlines.clear();
    this.#looks.clear();
  }

  #onStored(pending: Pending, receipt: SendReceipt): void {
    if (!this.#isOpen(pending)) return;
    pending.receipt = receipt;
    pending.storedId = receipt.message;
    // The first message with this key may have been answered long ago: nobody else will tell.
    if (receipt.duplicate) void this.#look(pending);
    else this.#lookAgain(pending);
  }

  #onNotSent(pending: Pending, error: unknown): void {
    if (pending.isTimingOut || (isStatewrightError(error) && this.#context.time.elapsed() >= pending.deadlineMs - 10)) {
      pending.sendError = error;
      if (!pending.isTimingOut && this.#deadlines.delete(pending)) void this.#expire(pending);
    } else this.#fail(pending, error);
  }

  #onAnswer(subject: string, data: Uint8Array): void {
    const pending = this.#pending.get(subject.slice(subject.lastIndexOf(".") + 1));
    if (pending === undefined) return;
    const answer = readAnswer(data);
    if (answer === undefined) return;
    // The outcome of the first message with the key is what the caller wants to know.
    if (answer.outcome === "duplicate" && pending.keySubject !== undefined) void this.#look(pending);
    else void this.#finish(pending, answer);
  }

  #lookAgain(pending: Pending): void {
    if (!this.#isOpen(pending)) return;
    pending.look = { pending, deadlineMs: this.#context.time.elapsed() + pending.pauseMs };
    pending.pauseMs = Math.min(longestPauseMs, pending.pauseMs * 2);
    this.#looks.add(pending.look);
  }

  async #look(pending: Pending): Promise<void> {
    if (pending.isLooking || !this.#isOpen(pending)) return;
    if (pending.look !== undefined) this.#looks.delete(pending.look);
    pending.isLooking = true;
    try {
      const answer = await findAnswer(this.#context, pending);
      if (answer !== undefined) await this.#finish(pending, answer);
    } catch (error) {
      if (!isTransient(error)) this.#fail(pending, error);
    }
    pending.isLooking = false;
    this.#lookAgain(pending);
  }

  async #finish(pending: Pending, answer: Answer): Promise<void> {
    try {
      const result = await resultOf(this.#context, pending, answer);
      if (this.#close(pending)) pending.resolve(result);
    } catch (error) {
      // What could not be read now is looked up again.
      if (!isTransient(error)) this.#fail(pending, error);
    }
  }

  async #expire(pending: Pending): Promise<void> {
    pending.isTimingOut = true;
    const { log, subjects, time } = this.#context;
    const notRead = "whether a node owns it could not be read";
    const patience = sleep(time, patienceMs);
    const [lease] = await Promise.all([
      Promise.race([
        log.last("core", subjects.lease(pending.partition)).then(
          (record) => describeLease(record?.data),
          () => notRead,
        ),
        patience.then(() => notRead),
      ]),
      // The send has the same deadline, and says best what became of the message.
      Promise.race([pending.sent, patience]),
    ]);
    const actor = formatAddress(pending.to);
    const stored =
      pending.receipt !== undefined
        ? `The message is stored (sequence ${pending.receipt.seq}) and will still be handled.`
        : pending.sendError instanceof Error
          ? pending.sendError.message
          : "The message is not confirmed to be stored.";
    const again =
      pending.keySubject === undefined
        ? "Ask with a key to be able to ask again safely; until then look at the actor's history before you do."
        : "Ask again with the same key for its outcome: it is applied once.";
    this.#fail(
      pending,
      new AskTimeoutError(
        `Cannot tell the outcome for ${actor}: no answer within ${pending.timeoutMs} ms. ${stored} Partition ${pending.partition}: ${lease}. ${again}`,
        {
          cause: pending.sendError,
          details: {
            actor,
            message: pending.storedId ?? pending.id,
            partition: pending.partition,
            timeoutMs: pending.timeoutMs,
            seq: pending.receipt?.seq,
          },
        },
      ),
    );
  }

  #isOpen(pending: Pending): boolean {
    return this.#pending.get(pending.token) === pending;
  }

  #fail(pending: Pending, error: unknown): void {
    if (this.#close(pending)) pending.reject(error);
  }

  #close(pending: Pending): boolean {
    if (!this.#isOpen(pending)) return false;
    this.#pending.delete(pending.token);
    this.#deadlines.delete(pending);
    if (pending.look !== undefined) this.#looks.delete(pending.look);
    pending.unlisten?.();
    return true;
  }
}

function isTransient(error: unknown): boolean {
  return isStatewrightError(error) && error._tag === "LogUnavailableError";
}

function describeLease(data: Uint8Array | undefined): string {
  if (data === undefined) return "no node has ever owned it. Start one";
  try {
    const { owner, epoch } = decodeRecord<LeaseRecord>("a lease", data);
    return owner === "" ? "no node owns it at the moment" : `its owner is ${JSON.stringify(owner)} (epoch ${epoch})`;
  } catch {
    return "its lease record cannot be read";
  }
}
