/**
 * A node's answers to questions: about actors of the partitions that it owns, and about itself.
 *
 * 1. No question does anything to the node: what cannot be read is passed over, what cannot be answered gets an error, and only a few are answered at once.
 * 2. Whoever asks asks again: what a node has no room or no log for is left to the next time.
 */
import { type Address, formatAddress, isChildAddress, parseAddress, partitionOf } from "../core/address.ts";
import { fromStored } from "../core/codec.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope, isReservedEvent } from "../core/envelope.ts";
import {
  isStatewrightError,
  LetterNotFoundError,
  PayloadTooLargeError,
  QueryRefusedError,
  UnknownActorTypeError,
} from "../core/errors.ts";
import {
  type AskedQuery,
  type CheckResult,
  decodeQuery,
  encodeQueryAnswer,
  type PreviewedState,
  type PreviewQuery,
  type PreviewResult,
  type Query,
  type QueryAnswer,
} from "../core/queries.ts";
import { decodeRecord, type KeyRecord, type LetterRecord, type StateRecord } from "../core/records.ts";
import { redrivenMessage } from "../core/redriven-message.ts";
import type { MachineEvent } from "../machine/driver.ts";
import type { NodeContext } from "./context.ts";
import type { RunnableDefinition } from "./definition.ts";
import { previewOf } from "./preview.ts";

/** So many questions wait for their answers; more are passed over. */
const maxWaiting = 100;
const maxAtOnce = 4;
/** What an answer leaves free for its frame. */
const marginBytes = 1024;

/** Answers questions while the node runs. */
export class Queries {
  readonly #context: NodeContext;
  readonly #stats: () => object;
  readonly #unlisten = new Map<number | "nodes", () => void>();
  /** Reply subjects of questions that wait or are being answered: whoever asks again meanwhile is answered once. */
  readonly #open = new Set<string>();
  #waiting: AskedQuery[] = [];
  #running = 0;

  constructor(context: NodeContext, stats: () => object) {
    this.#context = context;
    this.#stats = stats;
  }

  /** Begins to answer questions to all nodes. */
  start(): void {
    this.#listen("nodes", this.#context.subjects.queryNodes());
  }

  /** Begins to answer questions about a partition. */
  open(partition: number): void {
    this.#listen(partition, this.#context.subjects.query(partition));
  }

  close(partition: number): void {
    this.#unlisten.get(partition)?.();
    this.#unlisten.delete(partition);
  }

  stop(): void {
    for (const unlisten of this.#unlisten.values()) unlisten();
    this.#unlisten.clear();
    this.#waiting = [];
  }

  #listen(key: number | "nodes", subject: string): void {
    if (this.#unlisten.has(key)) return;
    this.#unlisten.set(
      key,
      this.#context.log.listen(subject, (_, data) => this.#take(key, data)),
    );
  }

  #take(heardOn: number | "nodes", data: Uint8Array): void {
    const { subjects, partitions } = this.#context;
    let asked: AskedQuery;
    try {
      asked = decodeQuery(data);
      if (!subjects.isReply(asked.reply)) return;
      const { query } = asked;
      const at = query.kind === "stats" ? "nodes" : partitionOf(parseAddress(query.to), partitions);
      if (at !== heardOn) return;
    } catch {
      // Nobody can be told.
      return;
    }
    if (this.#open.has(asked.reply) || this.#open.size >= maxWaiting) return;
    this.#open.add(asked.reply);
    this.#waiting.push(asked);
    this.#run();
  }

  #run(): void {
    while (this.#running < maxAtOnce) {
      const asked = this.#waiting.shift();
      if (asked === undefined) return;
      this.#running++;
      void this.#reply(asked).finally(() => {
        this.#open.delete(asked.reply);
        this.#running--;
        this.#run();
      });
    }
  }

  /** Never rejects. */
  async #reply({ query, reply }: AskedQuery): Promise<void> {
    const { log, node } = this.#context;
    let answer: QueryAnswer;
    try {
      answer = { node, result: await this.#answer(query) };
    } catch (error) {
      // The log is not to be reached: it may be when the question comes again.
      if (isStatewrightError(error) && error.retry === "transient") return;
      answer = { node, error: errorOf(error) };
    }
    try {
      log.signal(reply, this.#fitting(answer));
    } catch {
      // The connection is over.
    }
  }

  #answer(query: Query): unknown {
    switch (query.kind) {
      case "stats":
        return this.#stats();
      case "check":
        return checked(this.#definition(query.to), parseAddress(query.to), query.envelope);
      case "preview":
        return this.#preview(query);
    }
  }

  #definition(to: string): RunnableDefinition {
    const { definitions, node } = this.#context;
    const { type } = parseAddress(to);
    const definition = definitions.get(type);
    if (definition !== undefined) return definition;
    throw new UnknownActorTypeError(
      `Cannot tell anything about ${to}: its owner, node ${node}, has no definition for actor type "${type}". Start nodes with it.`,
      { details: { actor: to, type, node } },
    );
  }

  async #preview(query: PreviewQuery): Promise<PreviewResult> {
    const { log, subjects, partitions, time, node, random, spaceName } = this.#context;
    const definition = this.#definition(query.to);
    const to = parseAddress(query.to);
    if (definition.delivery === "at-most-once") {
      throw new QueryRefusedError(
        `Cannot preview a message for ${query.to}: actors of type "${to.type}" are delivered to at most once, and have no stored state to look at.`,
        { details: { actor: query.to } },
      );
    }
    const partition = partitionOf(to, partitions);
    const envelope =
      query.letter === undefined ? (query.envelope as Envelope) : await this.#redriven(query, query.letter);
    const key = typeof envelope.key === "string" ? subjects.key(partition, to, envelope.key) : undefined;
    const [found, applied] = await log.lastMany(
      "core",
      key === undefined ? [subjects.state(partition, to)] : [subjects.state(partition, to), key],
    );
    return previewOf({
      definition,
      to,
      record:
        found === undefined ? undefined : decodeRecord<StateRecord>(`the state of ${formatAddress(to)}`, found.data),
      envelope,
      from: query.letter === undefined ? { sender: String(query.sender ?? "") } : "core",
      duplicateOf: applied === undefined ? undefined : decodeRecord<KeyRecord>("a key record", applied.data),
      now: time.now(),
      node,
      space: spaceName,
      limits: log.limits,
      random,
    });
  }

  /** The message of a letter as redriving it would put it back, or what it is to be replaced by. */
  async #redriven(query: PreviewQuery, letter: NonNullable<PreviewQuery["letter"]>): Promise<Envelope> {
    const { log, subjects, partitions } = this.#context;
    const of = parseAddress(letter.of);
    const partition = partitionOf(of, partitions);
    const [found, body] = await log.lastMany("core", [
      subjects.dead(partition, of, letter.id),
      subjects.body(partition, of, letter.id),
    ]);
    if (found === undefined) {
      throw new LetterNotFoundError(
        `Cannot preview dead letter ${JSON.stringify(letter.id)}: ${letter.of} has none with this id.`,
        { details: { letter: letter.id } },
      );
    }
    const record = decodeRecord<LetterRecord>("a dead letter", found.data);
    if (record.reason === "crashed" && query.force !== true) {
      throw new QueryRefusedError(
        `Cannot preview dead letter ${JSON.stringify(letter.id)}: it ended the processes that handled it, and may end the owner of ${query.to}. Use force to try it all the same.`,
        { details: { letter: letter.id, reason: record.reason } },
      );
    }
    const message = query.envelope ?? record.envelope ?? (body === undefined ? undefined : decodeEnvelope(body.data));
    if (message === undefined) {
      throw new QueryRefusedError(
        `Cannot preview dead letter ${JSON.stringify(letter.id)}: its bytes are not a message (${record.explanation})`,
        { details: { letter: letter.id } },
      );
    }
    const redriven = redrivenMessage(subjects, record, message);
    if (redriven !== undefined) return redriven;
    throw new QueryRefusedError(
      `Cannot preview dead letter ${JSON.stringify(letter.id)}: only nodes send messages of the kind "${message.kind}", and it did not come from one.`,
      { details: { letter: letter.id } },
    );
  }

  /** Encodes an answer; of a preview that is too large for a signal the largest parts are left out, and named. */
  #fitting(answer: QueryAnswer): Uint8Array {
    const limit = this.#context.log.limits.maxRecordBytes - marginBytes;
    let data = encodeQueryAnswer(answer);
    if (data.length <= limit) return data;
    if ("result" in answer && isPreview(answer.result)) {
      let { result } = answer;
      for (const part of ["work", "before", "after"] as const) {
        result = without(result, part);
        data = encodeQueryAnswer({ ...answer, result });
        if (data.length <= limit) return data;
      }
    }
    const error = new PayloadTooLargeError(
      `Cannot answer: the answer takes ${data.length} bytes, a signal at most ${limit}.`,
    );
    return encodeQueryAnswer({ node: answer.node, error: errorOf(error) });
  }
}

/** What the door of a type says of a message. */
function checked(definition: RunnableDefinition, to: Address, given: Envelope): CheckResult {
  let problems: readonly string[] = [];
  try {
    const envelope = decodeEnvelope(encodeEnvelope(given));
    // Within a tree there is no door.
    if (envelope.kind === "create") {
      const check = isChildAddress(to)
        ? {
            problems: [`${formatAddress(to)} is the address of a child actor: only its parent makes it`],
            reason: "reserved",
          }
        : definition.checkInput(fromStored(envelope.input));
      if ("reason" in check) problems = check.problems;
    } else if (envelope.kind === "event" && envelope.event !== undefined) {
      const { type } = envelope.event;
      if (isReservedEvent(type)) problems = [`event "${type}" is reserved for the runtime`];
      else if (!isChildAddress(to)) {
        const check = definition.checkEvent(fromStored(envelope.event) as MachineEvent);
        if ("reason" in check) problems = check.problems;
      }
    }
  } catch (error) {
    problems = [error instanceof Error ? error.message : String(error)];
  }
  return problems.length === 0 ? { ok: true } : { ok: false, problems };
}

function isPreview(result: unknown): result is PreviewResult {
  return typeof result === "object" && result !== null && "before" in result && "version" in result;
}

function without(result: PreviewResult, part: "work" | "before" | "after"): PreviewResult {
  const { before, done, cut = [] } = result;
  const bare = (state: PreviewedState): PreviewedState =>
    state.snapshot === undefined ? state : { ...state, snapshot: { value: state.snapshot.value, context: null } };
  if (part === "before") return { ...result, before: bare(before), cut: [...cut, part] };
  if (done === undefined) return result;
  return part === "work"
    ? { ...result, done: { ...done, work: [] }, cut: [...cut, part] }
    : { ...result, done: { ...done, after: bare(done.after) }, cut: [...cut, part] };
}

function errorOf(error: unknown): Extract<QueryAnswer, { readonly error: unknown }>["error"] {
  if (isStatewrightError(error)) return { tag: error._tag, message: error.message, details: error.details };
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { tag: "QueryRefusedError", message: `Cannot answer: ${message}` };
}
