/**
 * A simulated world: nodes, clients and a badly behaved broker in virtual time, driven by a plan.
 *
 * 1. The same plan gives the same run.
 * 2. When the plan is over everything is healed, and what is left must be handled within a bounded time (progress).
 * 3. Whatever happened, the oracle, the replay and the actors' own books must find nothing wrong.
 */
import type { Address } from "../../runtime/core/address.ts";
import { formatAddress, partitionOf } from "../../runtime/core/address.ts";
import { type Envelope, encodeEnvelope } from "../../runtime/core/envelope.ts";
import { encodeRecord, type LetterRecord, type NodeRecord } from "../../runtime/core/records.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { sleep } from "../../runtime/core/time.ts";
import type { Log } from "../../runtime/log/log.ts";
import { createMemoryBroker, type MemoryBroker, type MemoryConnection } from "../../runtime/memory/memory-broker.ts";
import type { Prng } from "../../runtime/memory/prng.ts";
import { VirtualTime } from "../../runtime/memory/virtual-time.ts";
import { countingDependency, definitions, depend } from "./actors.ts";
import { checkBooks } from "./books.ts";
import { Chronicle } from "./chronicle.ts";
import { contentOf } from "./messages.ts";
import { type Evidence, judge, readJson, type Violation } from "./oracle.ts";
import type { Message, Plan, Step } from "./plan.ts";
import { Progress } from "./progress.ts";
import { replay } from "./replay.ts";
import { SimClient } from "./sim-client.ts";
import { historyDepth, type Sabotage, type SimNode, SimNodes, spaceName } from "./sim-nodes.ts";
import { checkSupervision } from "./supervised.ts";
import { faultDurations, timeoutMs, weathers } from "./weather.ts";

/** What came of a world. */
export interface Outcome {
  readonly violations: readonly Violation[];
  /** What happened, for whoever has to find out why. */
  readonly story: readonly string[];
  /** How often each fault of the broker and each crash happened; crashes as `crash.<point>`. */
  readonly counts: Readonly<Record<string, number>>;
  /** Virtual milliseconds from the end of the plan until all was handled. */
  readonly quietAfterMs: number;
  readonly trace: string;
  readonly evidence: Evidence;
}

const actorTypes = ["relay", "order", "strict", "loose"];
const sinkCount = 2;

/** A state record tells the newest 64 messages of its commit: no commit may hold more, or the oracle could not follow. */
const maxSends = 26;

const waiting: ReadonlySet<Message> = new Set(["flaky", "slow", "poison", "gate"]);

/** Everything must be handled so soon after everything was healed. */
const progressLimitMs = 20_000;

/** Counters of nodes that show how hard a world was. */
const counted = ["conflicts", "commitRetries", "redelivered", "takeovers", "duplicates", "retries"] as const;

const goodbye: NodeRecord = {
  format: 1,
  node: "n0",
  owner: "n0:gone",
  beat: 7,
  status: "gone",
  everyMs: 400,
  leaseMs: 1200,
  types: [],
};

/** Runs a plan to its end and says what was wrong. */
export async function runPlan(plan: Plan, sabotage: Sabotage = {}): Promise<Outcome> {
  const world = new World(plan, sabotage);
  return world.run();
}

class World {
  readonly #plan: Plan;
  readonly #time: VirtualTime;
  readonly #random: Prng;
  readonly #broker: MemoryBroker;
  readonly #subjects = new Subjects(spaceName);
  /** Spread evenly over the partitions: a purge waits for all of them. */
  readonly #actors: readonly Address[];
  readonly #sinks: readonly string[];
  readonly #clients: SimClient[];
  readonly #operator: Log;
  readonly #stranger: MemoryConnection;
  readonly #chronicle: Chronicle;
  readonly #nodes: SimNodes;
  #lastKeyed: Extract<Step, { do: "send" }> | undefined;
  readonly #progress: Progress;
  #openLetters = 0;

  constructor(plan: Plan, sabotage: Sabotage) {
    this.#plan = plan;
    this.#time = new VirtualTime({ seed: plan.seed });
    this.#random = this.#time.random.fork("world");
    this.#broker = createMemoryBroker({
      time: this.#time,
      timeoutMs,
      historyDepth,
      faultDurations,
    });
    this.#chronicle = new Chronicle(this.#time);
    this.#nodes = new SimNodes(plan, sabotage, this.#time, this.#broker, this.#chronicle);
    this.#actors = actorTypes.map((type, i) => addressIn(type, i, plan.partitions));
    this.#sinks = Array.from({ length: sinkCount }, (_, i) => addressIn("sink", i, plan.partitions).id);
    this.#listenToFaults();
    const operator = this.#broker.connect("operator").log;
    this.#operator = sabotage.operator?.(operator) ?? operator;
    this.#stranger = this.#broker.connect("stranger");
    this.#clients = Array.from(
      { length: plan.clients },
      (_, i) =>
        new SimClient(
          this.#broker.connect(`c${i + 1}`),
          this.#subjects,
          plan.partitions,
          this.#time.random.fork(`client ${i}`),
          this.#chronicle.sends,
        ),
    );
    this.#progress = new Progress(this.#broker);
  }

  async run(): Promise<Outcome> {
    depend(countingDependency());
    // The space is not new: a node was there before, long ago.
    void this.#operator.append("core", [{ subject: this.#subjects.node("n0"), data: encodeRecord(goodbye) }]);
    await this.#time.advance(60_000);
    this.#broker.faults.set(weathers[this.#plan.weather]);
    for (let i = 0; i < this.#plan.nodes; i++) this.#nodes.start();
    await this.#time.advance(30);
    if (this.#plan.drizzleMs > 0) this.#drizzle(0);
    for (const step of this.#plan.steps) {
      this.#chronicle.tell(`step ${JSON.stringify(step)}`);
      if (step.do === "wait") await this.#time.advance(step.ms);
      else {
        this.#take(step);
        await this.#time.advance(this.#random.between(0, 4));
      }
    }
    // Most is still under way: it must not all happen in good weather.
    await this.#time.advance(this.#random.between(0, 800));
    this.#heal();
    const healedMs = this.#time.elapsed();
    let isQuiet = await this.#runUntil(() => this.#isQuiet());
    const quietAfterMs = this.#time.elapsed() - healedMs;
    if (!isQuiet)
      this.#chronicle.defect("progress", `not everything was handled ${progressLimitMs} ms after all was healed`);
    this.#nodes.isStopping = true;
    for (const node of this.#nodes.there) this.#nodes.stop(node);
    const areStopped = await this.#runUntil(() => this.#nodes.there.length === 0);
    if (!areStopped) {
      const names = this.#nodes.there.map((node) => node.name);
      this.#chronicle.defect("progress", `${names.join(", ")} did not stop within ${progressLimitMs} ms`);
    }
    isQuiet &&= this.#progress.isDone();
    for (const { node } of this.#nodes.all) {
      const { counters } = node.stats();
      for (const name of counted) this.#chronicle.count(`node.${name}`, counters[name]);
    }
    const evidence: Evidence = {
      space: spaceName,
      partitions: this.#plan.partitions,
      journal: { ingress: this.#broker.journal("ingress"), core: this.#broker.journal("core") },
      stored: { ingress: this.#broker.records("ingress"), core: this.#broker.records("core") },
      sends: this.#chronicle.sends,
      purges: this.#chronicle.purges,
      effects: this.#chronicle.effects,
      isQuiet,
    };
    const reading = judge(evidence);
    const violations = [...this.#chronicle.defects, ...reading.violations];
    // What the oracle finds comes first: a broken journal cannot be replayed.
    if (violations.length === 0) {
      violations.push(
        ...checkSupervision(reading),
        ...checkBooks(reading, isQuiet),
        ...replay(reading, definitions, this.#operator.limits),
      );
    }
    return {
      violations,
      story: this.#chronicle.story,
      counts: { ...this.#chronicle.counts, ...this.#broker.faults.counts },
      quietAfterMs,
      trace: this.#time.trace,
      evidence,
    };
  }

  /** Writes every fault of the broker into the story. */
  #listenToFaults(): void {
    const { faults } = this.#broker;
    const choose = faults.choose.bind(faults);
    faults.choose = ((operation, target, place) => {
      const fault = choose(operation, target, place);
      if (fault !== undefined)
        this.#chronicle.tell(`fault ${operation}.${fault.kind} of ${place.connection} ${fault.ms.toFixed(0)} ms`);
      return fault;
    }) as typeof faults.choose;
  }

  // --- steps

  #take(step: Exclude<Step, { do: "wait" }>): void {
    switch (step.do) {
      case "send":
        this.#send(step);
        break;
      case "pileUp":
        this.#send({ ...step, do: "send", message: "slow", count: 1, key: undefined, ask: false });
        this.#send({ ...step, do: "send", message: "add", count: 22, key: undefined, ask: false });
        break;
      case "resend":
        if (this.#lastKeyed !== undefined) this.#send({ ...this.#lastKeyed, client: step.client });
        break;
      case "junk":
        this.#writeJunk(step.to, step.isMisaddressed);
        break;
      case "start":
        this.#nodes.start();
        break;
      case "crashAt":
        this.#nodes.armed.push({ point: step.point, left: step.nth });
        break;
      case "restartBroker":
        this.#broker.restart(step.downMs);
        break;
      case "weather":
        this.#broker.faults.set(weathers[step.kind]);
        break;
      case "redrive":
        this.#close("redriven", () => true);
        break;
      case "unpark":
        this.#close("dropped", ({ parks }) => parks === true);
        break;
      default: {
        const node = this.#nodes.at(step.node);
        if (node !== undefined) this.#treat(node, step);
      }
    }
  }

  #treat(node: SimNode, step: Extract<Step, { do: "crash" | "freeze" | "cut" | "deafen" | "stop" }>): void {
    switch (step.do) {
      case "crash":
        this.#nodes.crash(node, "at once");
        break;
      case "freeze":
        node.connection.freeze();
        this.#time.after(step.ms, () => node.connection.thaw());
        break;
      case "cut":
        node.connection.cut();
        this.#time.after(step.ms, () => node.connection.mend());
        break;
      case "deafen":
        node.deafUntilMs = this.#time.elapsed() + step.ms;
        break;
      case "stop":
        this.#nodes.stop(node);
        break;
    }
  }

  #heal(): void {
    this.#chronicle.tell("heal");
    this.#broker.faults.heal();
    this.#nodes.heal();
  }

  #isQuiet(): boolean {
    // An actor that is parked comes to rest only by an operator.
    if (this.#openLetters === 0) this.#close("dropped", ({ parks }) => parks === true);
    return (
      this.#openLetters === 0 &&
      this.#clients.every((client) => client.isIdle) &&
      this.#progress.isDone() &&
      this.#nodes.there.every((node) => !node.isStopping)
    );
  }

  /** Lets time pass until the condition holds; false when the limit comes first. */
  async #runUntil(condition: () => boolean): Promise<boolean> {
    const limitMs = this.#time.elapsed() + progressLimitMs;
    for (let stepMs = 10; !condition(); stepMs = Math.min(2 * stepMs, 250)) {
      if (this.#time.elapsed() >= limitMs) return false;
      await this.#time.advance(stepMs);
    }
    return true;
  }

  // --- clients

  #clientOf(number: number): SimClient {
    return this.#clients[number % this.#clients.length] as SimClient;
  }

  #send(step: Extract<Step, { do: "send" }>): void {
    const client = this.#clientOf(step.client);
    const to = this.#actors[step.to % this.#actors.length] as Address;
    // Messages that wait for their retries keep an actor busy for long: a few are enough.
    const count = waiting.has(step.message) ? Math.min(step.count, 6) : step.count;
    for (let i = 0; i < count && this.#chronicle.sends.length < maxSends; i++) {
      const id = client.nextId();
      const key = step.key === undefined ? undefined : `key${step.key}-${i}`;
      client.send(to, id, contentOf(step.message, id, this.#sinks[(step.to + i) % sinkCount] as string), {
        ...(key === undefined ? {} : { key }),
        ...(step.ask
          ? { reply: this.#subjects.reply(client.name, `${formatAddress(to).replace("/", "-")}_${id}`) }
          : {}),
      });
    }
    if (step.key !== undefined) this.#lastKeyed = step;
  }

  /** Sends one message after the other, now to this actor, now to that. */
  #drizzle(number: number): void {
    if (this.#nodes.isHealed) return;
    this.#send({ do: "send", client: 0, to: number, message: "add", count: 1, key: undefined, ask: false });
    this.#time.after(this.#plan.drizzleMs, () => this.#drizzle(number + 1));
  }

  #writeJunk(number: number, isMisaddressed: boolean): void {
    const to = this.#actors[number % this.#actors.length] as Address;
    const partition = partitionOf(to, this.#plan.partitions);
    const id = `junk${this.#chronicle.story.length}`;
    const good: Envelope = { format: 1, kind: "event", id, sentAt: 0, event: { type: "SAY", uid: id } };
    const subject = isMisaddressed
      ? this.#subjects.ingress("stranger", (partition + 1) % this.#plan.partitions, to, id)
      : this.#subjects.ingress("stranger", partition, to, id);
    const data = isMisaddressed ? encodeEnvelope(good) : Buffer.from('{"format":1,"kind":');
    void this.#stranger.log.append("ingress", [{ subject, data }]);
  }

  /** Closes dead letters as an operator does: one append under the letter's fence, with the message that goes back, or the release of the actor. */
  #close(status: "redriven" | "dropped", isMeant: (letter: LetterRecord) => boolean): void {
    const newest = new Map(
      this.#broker.records("core", this.#subjects.deadLetters()).map((record) => [record.subject, record] as const),
    );
    for (const record of newest.values()) {
      const letter = readJson<LetterRecord>(record);
      if (letter?.status !== "dead" || letter.envelope === undefined || !isMeant(letter)) continue;
      const parsed = this.#subjects.parseRecord(record.subject);
      if (parsed === undefined || letter.reason === "reserved") continue;
      const redrives = letter.redrives + (status === "redriven" ? 1 : 0);
      const closed: LetterRecord = { ...letter, status, redrives };
      const mail: Envelope =
        status === "redriven"
          ? { ...letter.envelope, redrive: { letter: letter.letter, attempts: letter.attemptCount, redrives } }
          : { format: 1, kind: "release", id: `${letter.letter}-x${redrives}`, letter: letter.letter, sentAt: 0 };
      const name = `${letter.letter}-${status === "redriven" ? "" : "x"}${redrives}`;
      this.#openLetters++;
      void this.#operator
        .append("core", [
          { subject: record.subject, data: encodeRecord(closed), expectLastSeq: record.seq },
          {
            subject: this.#subjects.mail(parsed.partition, parsed.address, name),
            data: encodeEnvelope(mail),
          },
        ])
        // An append that times out may come late: only then is it over.
        .then((result) => (result._tag === "TryAgain" ? sleep(this.#time, 1000) : undefined))
        .then(() => {
          this.#openLetters--;
        });
    }
  }
}

/** An address of the type in the partition with the number, modulo how many there are. */
function addressIn(type: string, number: number, partitions: number): Address {
  for (let i = 0; ; i++) {
    const address = { type, id: `${"abcd"[number]}${i}` };
    if (partitionOf(address, partitions) === number % partitions) return address;
  }
}

/** Puts a failed world into words: what is wrong, what was done, what happened. */
export function report(plan: Plan, outcome: Outcome): string {
  return [
    `Seed ${plan.seed}: ${outcome.violations.length} violations.`,
    ...outcome.violations.map(({ invariant, text }) => `  ${invariant}: ${text}`),
    "Plan:",
    `  ${JSON.stringify(plan)}`,
    "What happened:",
    ...outcome.story,
  ].join("\n");
}
