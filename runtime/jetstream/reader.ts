/**
 * Reads a stream in order over a consumer of its own, that is replaced whenever it may have missed something.
 *
 * 1. Records come in ascending sequence, each once: a gap in the delivery numbers, a lost connection, a lost consumer or a
 *    silence of {@link silenceMs} makes a new consumer that starts behind the last record delivered.
 * 2. Nothing is delivered before the stream's identity is verified, for every new consumer.
 * 3. At most {@link maxInFlight} records are on their way, also while the reader is paused.
 *
 * The server holds an open request for records, so a new one arrives at once and an idle reader costs one heartbeat per
 * {@link heartbeatMs}. The library's own ordered consumer needs two missed heartbeats to recover from a lost connection and
 * takes 409 answers for a reason to wait.
 */
import type { Msg, Subscription } from "@nats-io/transport-node";
import {
  isStatewrightError,
  LogUnavailableError,
  SpaceConfigError,
  type StatewrightError,
  SystemStoppedError,
} from "../core/errors.ts";
import type { LogReader, LogRecord, ReadOptions } from "../log/log.ts";
import { type ConsumerInfo, callApi } from "./api.ts";
import type { Connection } from "./connection.ts";
import { serverCodes } from "./server-codes.ts";
import { type StreamBinding, verifyStream } from "./stream-identity.ts";

/** The server shows that the reader's request is alive this often. */
const heartbeatMs = 5000;
/** A reader that hears nothing for so long makes a new consumer. */
const silenceMs = 2 * heartbeatMs;
/** Records asked for at once; two requests are open. */
const recordsPerPull = 200;
/** Most records on their way. */
export const maxInFlight = 2 * recordsPerPull;

const pullExpiresMs = 5 * 60_000;
/** The server forgets a consumer that nobody asks for so long; a paused reader gets a new one when it goes on. */
const consumerIdleMs = 5 * 60_000;
const longestPauseMs = 5000;

/** What a reader needs of its log. */
export interface ReaderContext {
  readonly connection: Connection;
  readonly binding: StreamBinding;
  /** Called when the reader will never deliver again. */
  readonly onEnd: (reader: StreamReader) => void;
}

/** One consumer on the server and what is known about its deliveries. */
interface Consumer {
  readonly name: string;
  readonly inbox: string;
  subscription: Subscription | undefined;
  /** Number of the last delivery; they are consecutive. */
  delivered: number;
  /** Records asked for and not yet come. */
  expected: number;
  /** Clock of the last sign of life. */
  heardAtMs: number;
}

/** An ordered reader; its log calls {@link checkSilence}, {@link disconnected} and {@link reconnected}. */
export class StreamReader implements LogReader {
  readonly ready: Promise<void>;
  readonly #context: ReaderContext;
  readonly #options: ReadOptions;
  readonly #pull: Uint8Array;
  #consumer: Consumer | undefined;
  #consumers = 0;
  #lastSeq = 0;
  /** Set for readers that start by sequence. */
  #startSeq: number | undefined;
  /** Records left until all that was stored at the start is delivered; undefined: not known yet, or said already. */
  #leftToCatchUp: number | undefined;
  #isCaughtUp = false;
  #isPaused = false;
  #isStopped = false;
  #isOpening = false;
  #retry: NodeJS.Timeout | undefined;
  #becomeReady: () => void = () => {};
  #failReady: (error: Error) => void = () => {};

  constructor(context: ReaderContext, options: ReadOptions) {
    this.#context = context;
    this.#options = options;
    this.#startSeq = typeof options.from === "object" ? Math.max(1, options.from.seq) : undefined;
    const maxBytes = Math.max(2 * 1024 * 1024, context.connection.info.max_payload + 128 * 1024);
    this.#pull = new TextEncoder().encode(
      JSON.stringify({
        batch: recordsPerPull,
        max_bytes: maxBytes,
        expires: pullExpiresMs * 1e6,
        idle_heartbeat: heartbeatMs * 1e6,
      }),
    );
    this.ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve;
      this.#failReady = reject;
    });
    // Who does not wait for it learns of failures from onError.
    this.ready.catch(() => {});
    this.#open(0);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#consumer !== undefined) {
      this.#consumer.heardAtMs = performance.now();
      this.#ask(this.#consumer);
    }
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#end();
    this.#failReady(new SystemStoppedError(`The reader of ${this.#context.binding.name} was stopped.`));
  }

  /** The connection was lost: what was on its way is lost with it. */
  disconnected(): void {
    if (!this.#isStopped) this.#drop(false);
  }

  reconnected(): void {
    if (!this.#isStopped) this.#open(0);
  }

  /** The connection is closed for good. */
  closed(reason: StatewrightError): void {
    if (reason instanceof SystemStoppedError) this.stop();
    else this.#fail(reason);
  }

  /** The server refused a message to the subject. */
  refused(subject: string, error: StatewrightError): void {
    const consumer = this.#consumer;
    if (consumer !== undefined && subject === this.#pullSubject(consumer)) this.#fail(error);
  }

  /** Replaces a consumer that has been silent for too long. */
  checkSilence(nowMs: number): void {
    const consumer = this.#consumer;
    if (consumer === undefined || this.#isStopped || consumer.expected <= 0) return;
    if (nowMs - consumer.heardAtMs >= silenceMs) this.#restart();
  }

  #restart(): void {
    this.#drop(true);
    this.#open(0);
  }

  /** Forgets the consumer; nothing it still sends is delivered. */
  #drop(isReachable: boolean): void {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    if (consumer === undefined) return;
    consumer.subscription?.unsubscribe();
    const { connection, binding } = this.#context;
    if (isReachable && connection.isConnected) {
      // Not awaited and not needed: the server forgets it by itself after a while.
      void connection
        .request(`${connection.apiPrefix}.CONSUMER.DELETE.${binding.name}.${consumer.name}`)
        .catch(() => {});
    }
  }

  #end(): void {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    this.#drop(true);
    this.#context.onEnd(this);
  }

  #fail(error: Error): void {
    if (this.#isStopped) return;
    this.#end();
    this.#failReady(error);
    this.#options.onError(error);
  }

  #open(attempt: number): void {
    if (this.#isOpening || this.#isStopped) return;
    clearTimeout(this.#retry);
    this.#isOpening = true;
    this.#makeConsumer().then(
      (created) => {
        this.#isOpening = false;
        if (this.#isStopped) return;
        if (created === undefined) return this.#open(0);
        this.#begin(created.consumer, created.pending);
      },
      (error: unknown) => {
        this.#isOpening = false;
        if (this.#isStopped) return;
        if (error instanceof LogUnavailableError) {
          // The reconnect opens too; this is for a server that is there but cannot answer yet.
          this.#retry = setTimeout(() => this.#open(attempt + 1), Math.min(longestPauseMs, 50 * 2 ** attempt));
          this.#retry.unref();
          return;
        }
        if (isStatewrightError(error) && error._tag === "SystemStoppedError") return this.stop();
        this.#fail(error as Error);
      },
    );
  }

  /** Resolves with undefined when the connection was lost in between. */
  async #makeConsumer(): Promise<{ consumer: Consumer; pending: number } | undefined> {
    const { connection, binding } = this.#context;
    const what = `read ${this.#options.filters.join(", ")} from ${binding.name}`;
    let isIntact = true;
    const stopListening = connection.listen({
      onDisconnect: () => {
        isIntact = false;
      },
    });
    try {
      await connection.whenConnected(what);
      isIntact = true;
      if (this.#options.from === "new" && this.#startSeq === undefined) {
        this.#startSeq = (await verifyStream(connection, binding)).state.last_seq + 1;
      }
      const inbox = connection.newInbox();
      const name = `sw-${inbox.slice(inbox.indexOf(".") + 1).replaceAll(".", "-")}`;
      const subject =
        this.#options.filters.length === 1
          ? `CONSUMER.CREATE.${binding.name}.${name}.${this.#options.filters[0]}`
          : `CONSUMER.CREATE.${binding.name}.${name}`;
      const created = await callApi<ConsumerInfo>(connection, what, subject, {
        stream_name: binding.name,
        action: "create",
        config: this.#consumerConfig(name),
      });
      if (created.error !== undefined && created.error.err_code !== serverCodes.streamNotFound) {
        throw new SpaceConfigError(
          `Cannot ${what}: the server refused the consumer, ${created.error.description} (${created.error.err_code}).`,
          { details: { filters: this.#options.filters, code: created.error.err_code } },
        );
      }
      // After the consumer: had the stream been replaced before, the consumer would belong to the new one.
      await verifyStream(connection, binding, this.#lastSeq);
      if (created.error !== undefined) {
        throw new LogUnavailableError(`Cannot ${what} now: the stream was not found, and found a moment later.`);
      }
      if (!isIntact) return undefined;
      this.#consumers += 1;
      const consumer: Consumer = {
        name,
        inbox,
        subscription: undefined,
        delivered: 0,
        expected: 0,
        heardAtMs: performance.now(),
      };
      return { consumer, pending: created.value.num_pending };
    } finally {
      stopListening();
    }
  }

  #consumerConfig(name: string): Readonly<Record<string, unknown>> {
    const { filters } = this.#options;
    const fromSeq = this.#lastSeq > 0 ? this.#lastSeq + 1 : this.#startSeq;
    return {
      name,
      ...(filters.length === 1 ? { filter_subject: filters[0] } : { filter_subjects: filters }),
      ...(fromSeq === undefined
        ? { deliver_policy: "last_per_subject" }
        : { deliver_policy: "by_start_sequence", opt_start_seq: fromSeq }),
      ack_policy: "none",
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: consumerIdleMs * 1e6,
    };
  }

  #begin(consumer: Consumer, pending: number): void {
    this.#consumer = consumer;
    consumer.subscription = this.#context.connection.subscribe(
      consumer.inbox,
      (message) => {
        if (this.#consumer === consumer) this.#take(consumer, message);
      },
      (error) => this.#fail(error),
    );
    this.#becomeReady();
    if (!this.#isCaughtUp) {
      this.#leftToCatchUp = pending;
      if (pending === 0) this.#sayCaughtUp();
    }
    if (this.#consumer === consumer) this.#ask(consumer);
  }

  #pullSubject(consumer: Consumer): string {
    const { connection, binding } = this.#context;
    return `${connection.apiPrefix}.CONSUMER.MSG.NEXT.${binding.name}.${consumer.name}`;
  }

  #ask(consumer: Consumer): void {
    if (this.#isPaused || this.#isStopped || !this.#context.connection.isConnected) return;
    while (consumer.expected <= maxInFlight - recordsPerPull) {
      if (consumer.expected <= 0) consumer.heardAtMs = performance.now();
      consumer.expected = Math.max(0, consumer.expected) + recordsPerPull;
      this.#context.connection.publish(this.#pullSubject(consumer), this.#pull, consumer.inbox);
    }
  }

  #take(consumer: Consumer, message: Msg): void {
    consumer.heardAtMs = performance.now();
    const reply = message.reply;
    if (reply === undefined || reply === "") {
      this.#takeStatus(consumer, message);
      return;
    }
    const delivery = readDelivery(reply);
    if (delivery === undefined) return;
    if (delivery.number !== consumer.delivered + 1 || delivery.seq <= this.#lastSeq) {
      this.#restart();
      return;
    }
    consumer.delivered = delivery.number;
    consumer.expected -= 1;
    this.#lastSeq = delivery.seq;
    this.#deliver({
      subject: message.subject,
      seq: delivery.seq,
      timeMs: delivery.timeMs,
      // A copy: the library's bytes are a view of a whole network read, which would be kept alive with them.
      data: message.data.slice(),
    });
    if (this.#leftToCatchUp !== undefined) {
      this.#leftToCatchUp -= 1;
      if (this.#leftToCatchUp <= 0 || delivery.pending === 0) this.#sayCaughtUp();
    }
    if (consumer === this.#consumer && consumer.expected <= maxInFlight - recordsPerPull) this.#ask(consumer);
  }

  #takeStatus(consumer: Consumer, message: Msg): void {
    const headers = message.headers;
    const code = headers?.code ?? 0;
    if (code === 100) {
      // The server has sent more than has come: something was lost on the way.
      if (Number(headers?.get("Nats-Last-Consumer") ?? 0) > consumer.delivered) this.#restart();
      else if (this.#leftToCatchUp !== undefined) void this.#checkCaughtUp(consumer);
      return;
    }
    const pending = headers?.get("Nats-Pending-Messages") ?? "";
    if (pending !== "" && (code === 408 || code === 409)) {
      consumer.expected = Math.max(0, consumer.expected - Number(pending));
      this.#ask(consumer);
      return;
    }
    if (code === 400 || code === 412) {
      this.#fail(
        new SpaceConfigError(
          `Cannot read from ${this.#context.binding.name}: the server refused the request, ${headers?.description} (${code}).`,
        ),
      );
      return;
    }
    // Consumer deleted, no responders, leadership change, server shutdown.
    this.#drop(false);
    this.#retry = setTimeout(() => this.#open(0), 20);
  }

  /** For what was purged while it was to be delivered: it will never come. */
  async #checkCaughtUp(consumer: Consumer): Promise<void> {
    const { connection, binding } = this.#context;
    const answer = await callApi<ConsumerInfo>(
      connection,
      "look up a reader",
      `CONSUMER.INFO.${binding.name}.${consumer.name}`,
    ).catch(() => undefined);
    const info = answer?.value;
    if (info === undefined || this.#consumer !== consumer || this.#leftToCatchUp === undefined) return;
    if (info.num_pending === 0 && info.delivered.consumer_seq === consumer.delivered) this.#sayCaughtUp();
  }

  #deliver(record: LogRecord): void {
    try {
      this.#options.onRecord(record);
    } catch (error) {
      // It must not throw; going on would skip the record, and an exception here would end the connection's own loop.
      this.#fail(error as Error);
    }
  }

  #sayCaughtUp(): void {
    if (this.#isCaughtUp || this.#isStopped) return;
    this.#isCaughtUp = true;
    this.#leftToCatchUp = undefined;
    try {
      this.#options.onCaughtUp?.();
    } catch (error) {
      this.#fail(error as Error);
    }
  }
}

/** What a delivery's reply subject says. */
export interface Delivery {
  readonly seq: number;
  /** Consecutive for the consumer. */
  readonly number: number;
  /** How often the record was delivered, this time included. */
  readonly attempt: number;
  readonly timeMs: number;
  /** Records that match and are still to come. */
  readonly pending: number;
}

/** Reads `$JS.ACK.<stream>.<consumer>.<attempt>.<seq>.<number>.<time>.<pending>`, or the form with domain and account. */
export function readDelivery(reply: string): Delivery | undefined {
  const tokens = reply.split(".");
  const at = tokens.length === 9 ? 4 : tokens.length >= 11 ? 6 : -1;
  if (at < 0 || tokens[0] !== "$JS" || tokens[1] !== "ACK") return undefined;
  return {
    attempt: Number(tokens[at]),
    seq: Number(tokens[at + 1]),
    number: Number(tokens[at + 2]),
    // Nanoseconds do not fit a number exactly.
    timeMs: Number((tokens[at + 3] as string).slice(0, -6)),
    pending: Number(tokens[at + 4]),
  };
}
