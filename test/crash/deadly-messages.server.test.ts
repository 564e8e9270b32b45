/** Messages that end the process that handles them, in a stream of good ones, with nodes that somebody starts again. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { connect, type EmbeddedServer, startEmbeddedServer } from "../../index.ts";
import { type Deadly, victim } from "./actors.ts";
import { eventually, killAll, NodeProcess, type NodeProcessOptions, tell } from "./processes.ts";

const goodMessages = 10_000;
const actorCount = 20;
const limitMs = 240_000;

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbeddedServer();
});
afterEach(killAll);
afterAll(() => server.stop());

/** Starts a node again whenever it ends, until it is stopped. */
class Supervised {
  deaths = 0;
  words = "";
  node: NodeProcess | undefined;
  #isStopping = false;
  readonly #over: Promise<void>;

  constructor(options: NodeProcessOptions) {
    this.#over = this.#run(options);
  }

  async #run(options: NodeProcessOptions): Promise<void> {
    while (!this.#isStopping) {
      this.node = await NodeProcess.start(options).catch(() => undefined);
      await this.node?.ended(limitMs);
      if (this.#isStopping) return;
      this.deaths++;
      this.words += this.node?.words ?? "";
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.node?.stop();
    await this.#over;
  }
}

describe.each<readonly [Deadly, Partial<NodeProcessOptions>]>([
  ["kill", {}],
  // biome-ignore lint/suspicious/noThenProperty: it is a word and no function
  ["loop", { watchdog: { after: 700, then: "kill" } }],
  ["memory", { heapMb: 100 }],
])("a message that ends the process (%s) among 10,000 good ones", (deadly, more) => {
  it("is the only one that dies, and all good ones are applied once and in order", { timeout: limitMs }, async () => {
    const space = { servers: server.url, space: `deadly-${deadly}`, partitions: 8 };
    const node = new Supervised({ ...space, name: "n1", lease: 1_500, ...more });
    const client = await connect({ ...space, actors: [victim], assumeSyncAlways: true });
    const sends: Promise<unknown>[] = [];
    const startedMs = performance.now();
    for (let n = 0; n < goodMessages; n++) {
      const to = victim.ref(`v${n % actorCount}`);
      if (n === goodMessages / 2) sends.push(client.send(to, { type: "TAKE", n: -1, deadly }));
      sends.push(client.send(to, { type: "TAKE", n }));
      if (sends.length >= 500) await Promise.all(sends.splice(0));
    }
    await Promise.all(sends);

    await eventually(async () => {
      for (let actor = 0; actor < actorCount; actor++) {
        const view = await client.get(victim.ref(`v${actor}`));
        const wanted = goodMessages / actorCount;
        const applied = view?.context.applied ?? [];
        if (applied.length < wanted)
          throw new Error(`v${actor} has applied ${applied.length} of ${wanted}: ${node.words}`);
      }
    }, limitMs);
    tell(
      `from the first message to all applied (${deadly}), ${node.deaths} processes ended:`,
      performance.now() - startedMs,
    );
    for (let actor = 0; actor < actorCount; actor++) {
      const view = await client.get(victim.ref(`v${actor}`));
      const wanted = Array.from({ length: goodMessages / actorCount }, (_, i) => i * actorCount + actor);
      expect(view?.context.applied).toEqual(wanted);
    }
    const letters = await client.deadLetters.list();
    expect(letters).toMatchObject([{ reason: "crashed", attemptCount: 3 }]);
    // The first one names nobody; a crash of the start counts, too.
    expect(node.deaths).toBeGreaterThanOrEqual(4);
    if (deadly === "loop")
      expect(node.words).toMatch(/loop\.blocked: .* has stood still .* message with sequence \d+ of INGRESS/);
    await node.stop();
    await client.close();
  });
});
