/**
 * The work queue over a durable pull consumer of CORE.
 *
 * 1. Pullers with the same name share one consumer; the settings of whoever opens last apply, except the filter, which must be equal.
 * 2. A task that arrives after its pull has ended is given back at once, so that it does not wait out its visibility.
 * 3. The server never gives up on a task (`max_deliver` is unlimited): who decides that it has failed is the one who runs it.
 */
import type { Msg, Subscription } from "@nats-io/transport-node";
import { InvalidNameError, LogUnavailableError, SpaceConfigError, SystemStoppedError } from "../core/errors.ts";
import type { OpenWorkQueue, QueueState, Task, WorkQueue, WorkQueueOptions } from "../log/work-queue.ts";
import { type ConsumerInfo, callApi } from "./api.ts";
import type { Connection } from "./connection.ts";
import { readDelivery } from "./reader.ts";
import { serverCodes } from "./server-codes.ts";
import { type StreamBinding, verifyStream } from "./stream-identity.ts";

const encoder = new TextEncoder();
const ackBytes = encoder.encode("+ACK");
const extendBytes = encoder.encode("+WPI");
/** How long a pull that does not wait may take. */
const noWaitMs = 20;
/** How long after its time an unanswered pull is given up. */
const graceMs = 1000;

/** Opens work queues on CORE. */
export function makeWorkQueue(connection: Connection, binding: StreamBinding): WorkQueue {
  return {
    async open(options) {
      const queue = new PullQueue(connection, binding, options);
      await queue.start();
      return queue;
    },
  };
}

/** A pull that waits for tasks. */
interface Pull {
  readonly inbox: string;
  readonly take: (message: Msg) => void;
  readonly end: () => void;
}

class PullQueue implements OpenWorkQueue {
  readonly #connection: Connection;
  readonly #binding: StreamBinding;
  readonly #options: WorkQueueOptions;
  readonly #consumer: string;
  readonly #inbox: string;
  readonly #pulls = new Set<Pull>();
  #subscription: Subscription | undefined;
  #refusal: Error | undefined;
  #isClosed = false;
  #nextPull = 0;

  constructor(connection: Connection, binding: StreamBinding, options: WorkQueueOptions) {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(options.name)) {
      throw new InvalidNameError(
        `Cannot use ${JSON.stringify(options.name)} as the name of a work queue: it must hold 1 to 64 letters, digits, "-" or "_".`,
      );
    }
    this.#connection = connection;
    this.#binding = binding;
    this.#options = options;
    this.#consumer = `wq-${options.name}`;
    this.#inbox = connection.newInbox();
  }

  async start(): Promise<void> {
    await this.#makeConsumer();
    this.#subscription = this.#connection.subscribe(
      `${this.#inbox}.*`,
      (message) => this.#take(message),
      (error) => {
        this.#refusal = error;
      },
    );
  }

  async pull(max: number, waitMs: number): Promise<readonly Task[]> {
    if (max < 1) return [];
    const what = `pull tasks of the queue ${this.#options.name}`;
    this.#check();
    await this.#connection.whenConnected(what);
    const ready = await this.#pullOnce(max, 0);
    if (ready.length > 0 || waitMs <= 0) return ready;
    const first = await this.#pullOnce(1, waitMs);
    if (first.length === 0 || max === 1) return first;
    // What has been taken is handed over, whatever becomes of the rest.
    return [...first, ...(await this.#pullOnce(max - 1, 0).catch(() => []))];
  }

  async state(): Promise<QueueState> {
    const what = `look at the work queue ${this.#options.name}`;
    this.#check();
    await this.#connection.whenConnected(what);
    const { value, error } = await callApi<ConsumerInfo>(
      this.#connection,
      what,
      `CONSUMER.INFO.${this.#binding.name}.${this.#consumer}`,
    );
    // Without its consumer the queue begins again at the first task that is in the stream.
    if (value === undefined && error?.code === 404) return { floor: 0, waiting: 0, out: 0 };
    if (value === undefined)
      throw new LogUnavailableError(`Cannot ${what}: ${error?.description} (${error?.err_code}).`);
    return { floor: value.ack_floor.stream_seq, waiting: value.num_pending, out: value.num_ack_pending };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#subscription?.unsubscribe();
    for (const pull of [...this.#pulls]) pull.end();
  }

  #check(): void {
    if (this.#connection.ended !== undefined) throw this.#connection.ended;
    if (this.#refusal !== undefined) throw this.#refusal;
    if (this.#isClosed) throw new SystemStoppedError(`The work queue ${this.#options.name} was closed.`);
  }

  /** One request: `waitMs` 0 takes what is there. */
  async #pullOnce(max: number, waitMs: number): Promise<Task[]> {
    this.#check();
    const outcome = await this.#request(max, waitMs);
    if (!outcome.isConsumerGone || outcome.tasks.length > 0) return outcome.tasks;
    // Deleted by an operator, or lost with the server's disk cache: tasks are still in the stream.
    await this.#makeConsumer();
    return (await this.#request(max, waitMs)).tasks;
  }

  #request(max: number, waitMs: number): Promise<{ tasks: Task[]; isConsumerGone: boolean }> {
    return new Promise((resolve) => {
      const tasks: Task[] = [];
      if (!this.#connection.isConnected) {
        resolve({ tasks, isConsumerGone: false });
        return;
      }
      const inbox = `${this.#inbox}.${(this.#nextPull++).toString(36)}`;
      const done = (isConsumerGone: boolean): void => {
        clearTimeout(timer);
        this.#pulls.delete(pull);
        stopListening();
        resolve({ tasks, isConsumerGone });
      };
      const timer = setTimeout(() => done(false), waitMs + graceMs);
      const stopListening = this.#connection.listen({
        onDisconnect: () => done(false),
        onClosed: () => done(false),
        onRefusedPublish: (subject, error) => {
          if (!subject.includes(`.CONSUMER.MSG.NEXT.${this.#binding.name}.${this.#consumer}`)) return;
          this.#refusal = error;
          done(false);
        },
      });
      const pull: Pull = {
        inbox,
        end: () => done(false),
        take: (message) => {
          const task = this.#toTask(message);
          if (task !== undefined) {
            tasks.push(task);
            if (tasks.length >= max) done(false);
            return;
          }
          const headers = message.headers;
          const code = headers?.code ?? 0;
          if (code === 100) return;
          // 404: nothing there. 408: time is over. 409 with a rest: the request is over; without: the consumer is.
          const isOver = code === 404 || code === 408 || (headers?.get("Nats-Pending-Messages") ?? "") !== "";
          done(!isOver && code !== 400);
        },
      };
      this.#pulls.add(pull);
      // The server ends a request that does not wait when there is nothing, but not when too many tasks are out: that ends it, too.
      const request =
        waitMs <= 0 ? { batch: max, no_wait: true, expires: noWaitMs * 1e6 } : { batch: max, expires: waitMs * 1e6 };
      try {
        this.#connection.publish(
          `${this.#connection.apiPrefix}.CONSUMER.MSG.NEXT.${this.#binding.name}.${this.#consumer}`,
          encoder.encode(JSON.stringify(request)),
          inbox,
        );
      } catch {
        done(false);
      }
    });
  }

  #take(message: Msg): void {
    const delivery = message.reply ? readDelivery(message.reply) : undefined;
    if (delivery === undefined) {
      // A status goes to the pull whose inbox it names.
      for (const pull of this.#pulls) if (pull.inbox === message.subject) pull.take(message);
      return;
    }
    // A task's subject is its own; requests are served in the order they came.
    const [pull] = this.#pulls;
    if (pull === undefined) this.#toTask(message)?.nak();
    else pull.take(message);
  }

  #toTask(message: Msg): Task | undefined {
    const reply = message.reply;
    const delivery = reply === undefined || reply === "" ? undefined : readDelivery(reply);
    if (reply === undefined || delivery === undefined) return undefined;
    const answer = (bytes: Uint8Array): void => {
      // Without a connection the task comes again: acknowledging is a hint.
      if (this.#connection.isConnected) this.#connection.publish(reply, bytes);
    };
    let isOver = false;
    return {
      subject: message.subject,
      seq: delivery.seq,
      data: message.data.slice(),
      delivery: delivery.attempt,
      ack() {
        if (isOver) return;
        isOver = true;
        answer(ackBytes);
      },
      nak(delayMs = 0) {
        if (isOver) return;
        isOver = true;
        answer(encoder.encode(delayMs > 0 ? `-NAK {"delay": ${Math.round(delayMs * 1e6)}}` : "-NAK"));
      },
      extend() {
        if (!isOver) answer(extendBytes);
      },
    };
  }

  async #makeConsumer(): Promise<void> {
    const { name, filter, visibilityMs = 30_000, maxInFlight = 1000 } = this.#options;
    const what = `open the work queue ${name}`;
    const found = await callApi<ConsumerInfo>(
      this.#connection,
      what,
      `CONSUMER.INFO.${this.#binding.name}.${this.#consumer}`,
    );
    const foundFilter = found.value?.config.filter_subject;
    if (found.value !== undefined && foundFilter !== filter) {
      throw new SpaceConfigError(
        `Cannot ${what}: it exists for ${JSON.stringify(foundFilter)}, ${JSON.stringify(filter)} was asked for. Tasks of the old filter would be lost; use another name.`,
        { details: { name, found: foundFilter, asked: filter } },
      );
    }
    const created = await callApi<ConsumerInfo>(
      this.#connection,
      what,
      `CONSUMER.CREATE.${this.#binding.name}.${this.#consumer}.${filter}`,
      {
        stream_name: this.#binding.name,
        // Without an action: makes it, or changes what differs.
        config: {
          durable_name: this.#consumer,
          name: this.#consumer,
          description: "Statewright: work queue",
          filter_subject: filter,
          deliver_policy: "all",
          ack_policy: "explicit",
          ack_wait: visibilityMs * 1e6,
          max_deliver: -1,
          max_ack_pending: maxInFlight,
        },
      },
    );
    if (created.error !== undefined) {
      if (created.error.err_code === serverCodes.streamNotFound) await verifyStream(this.#connection, this.#binding);
      if (created.error.code >= 500) {
        throw new LogUnavailableError(`Cannot ${what}: ${created.error.description} (${created.error.err_code}).`);
      }
      throw new SpaceConfigError(
        `Cannot ${what}: the server refused it, ${created.error.description} (${created.error.err_code}).`,
      );
    }
    await verifyStream(this.#connection, this.#binding);
  }
}
