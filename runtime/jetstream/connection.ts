/**
 * The connection to the broker: requests with several ways to end, and what happens to them when the connection is lost.
 *
 * 1. Every request settles: with an answer, or with the plain reason why there is none. None waits longer than its timeout.
 * 2. Losing the connection settles all requests at once; whether the server took them is then not known.
 * 3. A refused permission settles the requests it concerns at once; the server sends no answer to them.
 *
 * The library's own request helper is not used: it creates a stack trace and two promises for each call, and waits out its
 * timeout when the connection is lost.
 */

import { readFile } from "node:fs/promises";
import {
  connect,
  credsAuthenticator,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type NodeConnectionOptions,
  nuid,
  type ServerInfo,
  type Subscription,
} from "@nats-io/transport-node";
import { LogUnavailableError, NotAuthorizedError, type StatewrightError, SystemStoppedError } from "../core/errors.ts";

/** Certificates and keys, as files or as text. */
export interface TlsSettings {
  readonly caFile?: string;
  readonly ca?: string;
  readonly certFile?: string;
  readonly cert?: string;
  readonly keyFile?: string;
  readonly key?: string;
  /** Starts with TLS before the server has said anything; the server must be configured for it. */
  readonly handshakeFirst?: boolean;
}

/** Where the broker is and who connects. */
export interface ConnectionOptions {
  /** `nats://host:port`, one or several of one cluster. Default: `nats://127.0.0.1:4222`. */
  readonly servers?: string | readonly string[];
  /** Shown in the server's list of connections. Default: `statewright`. */
  readonly name?: string;
  /** Path of a credentials file (user JWT and key); read again at every reconnect. */
  readonly credsFile?: string;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
  readonly tls?: TlsSettings;
  /** Subject prefix for answers, for servers that pin it per user. Default: `_INBOX`. */
  readonly inboxPrefix?: string;
  /** JetStream domain, for leaf nodes. */
  readonly domain?: string;
  /** How long to wait for an answer, in milliseconds. Default: 5000. */
  readonly requestTimeoutMs?: number;
}

/** Why a request has no answer. */
export type NoAnswer =
  /** No stream or API listens on the subject: nothing was stored. */
  | { readonly _tag: "NoResponders" }
  | { readonly _tag: "Timeout" }
  /** The connection was lost before the answer came. */
  | { readonly _tag: "Disconnected" }
  /** There was no connection: nothing was sent. */
  | { readonly _tag: "NotSent" }
  | { readonly _tag: "Refused"; readonly error: StatewrightError };

/** How a request ended. */
export type Answer = { readonly _tag: "Answer"; readonly message: Msg } | NoAnswer;

/** A request that waits for its answers. */
interface Waiting {
  readonly subject: string;
  readonly alsoSentTo: ReadonlyArray<{ readonly subject: string }> | undefined;
  readonly onAnswer: (answer: Answer) => boolean;
  readonly timer: NodeJS.Timeout;
}

/** Options of {@link Connection.expectAnswers}. */
export interface ExpectOptions {
  /** The subject the request goes to; a refused permission for it settles the request. */
  readonly subject: string;
  /** More subjects of the same request. */
  readonly alsoSentTo?: ReadonlyArray<{ readonly subject: string }>;
  readonly timeoutMs?: number;
}

/** What listens to the life of the connection. */
export interface ConnectionListener {
  readonly onDisconnect?: () => void;
  readonly onReconnect?: () => void;
  /** The server refused to take a message to the subject. */
  readonly onRefusedPublish?: (subject: string, error: NotAuthorizedError) => void;
  /** The connection is closed for good; the reason is given when nobody here asked for it. */
  readonly onClosed?: (reason: StatewrightError) => void;
}

const empty = new Uint8Array(0);
const textEncoder = new TextEncoder();

/** Headers that are already bytes. */
class EncodedHeaders {
  readonly #bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  encode(): Uint8Array {
    return this.#bytes;
  }
}

/** A connection that reconnects for ever until it is closed or its credentials are refused. */
export class Connection {
  readonly apiPrefix: string;
  readonly requestTimeoutMs: number;
  /** Resolves when the connection is closed for good, with the reason when nobody here asked for it. */
  readonly closed: Promise<StatewrightError | undefined>;
  readonly #nats: NatsConnection;
  readonly #inbox: string;
  readonly #waiting = new Map<string, Waiting>();
  readonly #listeners = new Set<ConnectionListener>();
  #info: ServerInfo;
  #isConnected = true;
  #ended: StatewrightError | undefined;
  #isClosing = false;
  #requests = 0;
  #inboxes = 0;

  /** Connects; see {@link openConnection}. */
  constructor(nats: NatsConnection, options: ConnectionOptions) {
    this.#nats = nats;
    // There is none once the connection has broken.
    this.#info = nats.info as ServerInfo;
    this.apiPrefix = options.domain === undefined ? "$JS.API" : `$JS.${options.domain}.API`;
    this.requestTimeoutMs = options.requestTimeoutMs ?? 5000;
    this.#inbox = `${options.inboxPrefix ?? "_INBOX"}.${nuid.next()}`;
    this.#nats.subscribe(`${this.#inbox}.q.*`, { callback: (error, message) => this.#take(error, message) });
    this.closed = this.#nats.closed().then((error) => this.#end(error ?? undefined));
    void this.#follow();
  }

  /** What the server says of itself; without a connection, what it said last. */
  get info(): ServerInfo {
    this.#info = this.#nats.info ?? this.#info;
    return this.#info;
  }
  get isConnected(): boolean {
    return this.#isConnected && this.#ended === undefined;
  }
  /** Why every call is refused: the connection was closed. */
  get ended(): StatewrightError | undefined {
    return this.#ended;
  }

  listen(listener: ConnectionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A subject below this connection's own inbox, for answers that {@link subscribe} receives. */
  newInbox(): string {
    this.#inboxes += 1;
    return `${this.#inbox}.r.${this.#inboxes}`;
  }

  /** Receives messages until the returned subscription is ended; `onMessage` must not throw. */
  subscribe(
    subject: string,
    onMessage: (message: Msg) => void,
    onRefused: (error: NotAuthorizedError) => void,
  ): Subscription {
    return this.#nats.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) onMessage(message);
        else onRefused(notAuthorized(`receive messages on ${subject}`, error));
      },
    });
  }

  /** Sends a message; `headers` are bytes in the protocol's own form. Nothing is confirmed. */
  publish(subject: string, data: Uint8Array, reply?: string, headers?: Uint8Array): void {
    if (this.#ended !== undefined) throw this.#ended;
    this.#nats.publish(subject, data, {
      ...(reply === undefined ? {} : { reply }),
      // The library calls nothing but `encode` on headers it sends.
      ...(headers === undefined ? {} : { headers: new EncodedHeaders(headers) as unknown as MsgHdrs }),
    });
  }

  /**
   * Makes a reply subject whose messages go to `onAnswer`, until it returns true or the timeout is over.
   *
   * Call {@link forget} when nothing more is expected before that.
   */
  expectAnswers(options: ExpectOptions, onAnswer: (answer: Answer) => boolean): string {
    this.#requests += 1;
    const token = this.#requests.toString(36);
    const reply = `${this.#inbox}.q.${token}`;
    const timer = setTimeout(
      () => this.#settle(token, { _tag: "Timeout" }),
      options.timeoutMs ?? this.requestTimeoutMs,
    );
    this.#waiting.set(token, { subject: options.subject, alsoSentTo: options.alsoSentTo, onAnswer, timer });
    return reply;
  }

  forget(reply: string): void {
    const token = reply.slice(reply.lastIndexOf(".") + 1);
    const waiting = this.#waiting.get(token);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(token);
  }

  /** Sends a message and resolves with its answer. Rejects with the reason when the connection is closed. */
  request(
    subject: string,
    data: Uint8Array | string = empty,
    options: { readonly headers?: Uint8Array; readonly timeoutMs?: number } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      if (!this.isConnected) return resolve({ _tag: "NotSent" });
      const reply = this.expectAnswers(
        { subject, ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }) },
        (answer) => {
          resolve(answer);
          return true;
        },
      );
      try {
        this.publish(subject, typeof data === "string" ? textEncoder.encode(data) : data, reply, options.headers);
      } catch (error) {
        this.forget(reply);
        reject(error);
      }
    });
  }

  /** Resolves when there is a connection, at once if there is one. Rejects when it is closed, or with `LogUnavailableError` after `timeoutMs`. */
  async whenConnected(what: string, timeoutMs: number = this.requestTimeoutMs): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#isConnected) return;
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error): void => {
        clearTimeout(timer);
        stop();
        if (error === undefined) resolve();
        else reject(error);
      };
      const timer = setTimeout(
        () =>
          done(
            new LogUnavailableError(
              `Cannot ${what}: there is no connection to ${this.address}. It is tried again all the time.`,
            ),
          ),
        timeoutMs,
      );
      timer.unref();
      const stop = this.listen({ onReconnect: () => done(), onClosed: (reason) => done(reason) });
    });
  }

  /** Resolves when everything sent before has reached the server. Rejects with `LogUnavailableError`. */
  async flush(timeoutMs: number = this.requestTimeoutMs): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    if (!this.#isConnected) throw new LogUnavailableError(`Cannot flush: there is no connection to ${this.address}.`);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new LogUnavailableError(`Cannot flush: ${this.address} did not answer within ${timeoutMs} ms.`)),
        timeoutMs,
      );
    });
    try {
      await Promise.race([this.#nats.flush(), timeout]);
    } catch (cause) {
      if (cause instanceof LogUnavailableError) throw cause;
      throw new LogUnavailableError(`Cannot flush: the connection to ${this.address} was lost.`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /** The server's address, for messages. */
  get address(): string {
    return `the server at ${this.#nats.getServer()}`;
  }

  async close(): Promise<void> {
    if (this.#isClosing || this.#ended !== undefined) {
      await this.closed;
      this.#ended = new SystemStoppedError("The connection to the log was closed.");
      return;
    }
    this.#isClosing = true;
    if (this.#isConnected) await this.flush(1000).catch(() => {});
    this.#end(undefined);
    await this.#nats.close();
    await this.closed;
  }

  #take(error: Error | null, message: Msg): void {
    if (error !== null) {
      this.#refuseAll(notAuthorized(`receive answers on ${this.#inbox}.>`, error));
      return;
    }
    const token = message.subject.slice(this.#inbox.length + 3);
    // Only messages without data carry a status.
    const isUnheard = message.data.length === 0 && message.headers?.code === 503;
    const waiting = this.#waiting.get(token);
    if (waiting === undefined) return;
    if (waiting.onAnswer(isUnheard ? { _tag: "NoResponders" } : { _tag: "Answer", message })) {
      clearTimeout(waiting.timer);
      this.#waiting.delete(token);
    }
  }

  #settle(token: string, answer: NoAnswer): void {
    const waiting = this.#waiting.get(token);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(token);
    waiting.onAnswer(answer);
  }

  #settleAll(answer: NoAnswer): void {
    for (const token of [...this.#waiting.keys()]) this.#settle(token, answer);
  }

  async #follow(): Promise<void> {
    for await (const status of this.#nats.status()) {
      if (status.type === "disconnect") {
        this.#isConnected = false;
        this.#settleAll({ _tag: "Disconnected" });
        for (const listener of [...this.#listeners]) listener.onDisconnect?.();
      } else if (status.type === "reconnect") {
        this.#isConnected = true;
        for (const listener of [...this.#listeners]) listener.onReconnect?.();
      } else if (status.type === "error" && status.error.name === "PermissionViolationError") {
        const violation = status.error as Error & { readonly operation?: string; readonly subject?: string };
        if (violation.operation === "publish") this.#refusePublish(violation.subject ?? "", violation);
      }
    }
  }

  #refusePublish(subject: string, cause: Error): void {
    const error = notAuthorized(`send to ${subject}`, cause);
    for (const [token, waiting] of [...this.#waiting]) {
      const concerns =
        waiting.subject === subject || waiting.alsoSentTo?.some((sent) => sent.subject === subject) === true;
      if (concerns) this.#settle(token, { _tag: "Refused", error });
    }
    for (const listener of [...this.#listeners]) listener.onRefusedPublish?.(subject, error);
  }

  #refuseAll(error: NotAuthorizedError): void {
    this.#end(error);
    void this.#nats.close();
  }

  /** Notes that the connection is over; the first reason stays. */
  #end(cause: Error | undefined): StatewrightError | undefined {
    if (this.#ended !== undefined) return this.#ended instanceof SystemStoppedError ? undefined : this.#ended;
    const wasAsked = this.#isClosing;
    const reason = wasAsked
      ? new SystemStoppedError("The connection to the log was closed.")
      : cause instanceof NotAuthorizedError
        ? cause
        : isAuthorizationError(cause)
          ? notAuthorized("stay connected", cause as Error)
          : new LogUnavailableError(
              `The connection to ${this.address} was closed: ${cause?.message ?? "the server ended it"}. Open it again.`,
              { cause },
            );
    this.#isConnected = false;
    this.#ended = reason;
    this.#settleAll({ _tag: "Refused", error: reason });
    for (const listener of [...this.#listeners]) listener.onClosed?.(reason);
    return wasAsked ? undefined : reason;
  }
}

/**
 * Connects to the broker.
 *
 * *Errors*: `LogUnavailableError` when no server answers, `NotAuthorizedError` when it refuses the credentials.
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const servers =
    options.servers === undefined
      ? ["nats://127.0.0.1:4222"]
      : typeof options.servers === "string"
        ? [options.servers]
        : [...options.servers];
  const where = servers.map(withoutSecrets).join(", ");
  try {
    const nats = await connect({
      servers,
      name: options.name ?? "statewright",
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
      reconnectJitter: 250,
      // A frozen server must be noticed: the defaults take four minutes.
      pingInterval: 5000,
      maxPingOut: 2,
      timeout: 5000,
      noAsyncTraces: true,
      ...(options.user === undefined ? {} : { user: options.user }),
      ...(options.pass === undefined ? {} : { pass: options.pass }),
      ...(options.token === undefined ? {} : { token: options.token }),
      ...(options.tls === undefined ? {} : { tls: { ...options.tls } }),
      ...(options.credsFile === undefined ? {} : { authenticator: await readCredentials(options.credsFile) }),
    } satisfies NodeConnectionOptions);
    const connection = new Connection(nats, options);
    // A permission that is missing for the inbox shows now, not at the first request.
    await connection.flush().catch(() => {});
    if (connection.ended !== undefined) throw connection.ended;
    return connection;
  } catch (cause) {
    if (cause instanceof NotAuthorizedError) throw cause;
    const error = cause as Error;
    if (isAuthorizationError(error)) {
      throw new NotAuthorizedError(
        `Cannot connect to ${where}: the server refused the credentials (${error.message}). Check user, password, token or credentials file.`,
        { cause },
      );
    }
    throw new LogUnavailableError(
      `Cannot connect to ${where}: ${error.message}. Check that a nats-server runs there.`,
      { cause },
    );
  }
}

async function readCredentials(path: string) {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new NotAuthorizedError(`Cannot read the credentials file ${path}: ${(cause as Error).message}.`, { cause });
  }
  let authenticator = credsAuthenticator(bytes);
  const refresh = (): void => {
    // Credentials that were renewed on disk are used at the next reconnect.
    readFile(path).then(
      (fresh) => {
        authenticator = credsAuthenticator(fresh);
      },
      () => {},
    );
  };
  return (nonce?: string) => {
    const signed = authenticator(nonce);
    refresh();
    return signed;
  };
}

function isAuthorizationError(error: Error | undefined): boolean {
  return (
    error !== undefined &&
    (error.name === "AuthorizationError" ||
      error.name === "UserAuthenticationExpiredError" ||
      (error.cause instanceof Error && isAuthorizationError(error.cause)))
  );
}

function notAuthorized(what: string, cause: Error): NotAuthorizedError {
  return new NotAuthorizedError(
    `Cannot ${what}: the server refused it (${cause.message}). Ask its operator for the permission.`,
    {
      cause,
    },
  );
}

/** A server address as it may be shown: without user, password and token. */
function withoutSecrets(server: string): string {
  return server.replace(/^((?:[a-z]+:)?\/\/)?[^@/]*@/i, "$1");
}
