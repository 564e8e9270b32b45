/** Plans: what happens in a simulated world, as a list of steps that fast-check can draw and shrink. */
import fc from "fast-check";
import { type FaultPoint, faultPoints } from "../../runtime/engine/faults.ts";

/** Where nodes of these worlds may die: their actors set no timers, which have worlds of their own (test/engine/timer-worlds). */
export const points = faultPoints.filter((point) => !point.startsWith("timer."));

/** What a client sends. */
export type Message =
  | "add"
  | "flaky"
  | "slow"
  | "poison"
  | "refuse"
  | "gate"
  | "say"
  | "close"
  | "unknown-event"
  | "reserved"
  | "create";

/** One step of a plan. Numbers that name a node, client or actor are taken modulo how many there are. */
export type Step =
  | {
      readonly do: "send";
      readonly client: number;
      readonly to: number;
      readonly message: Message;
      readonly count: number;
      /** Idempotency key: one of a few, so that clients meet. */
      readonly key: number | undefined;
      readonly ask: boolean;
    }
  /** A slow message, and many behind it: more than a lane keeps. */
  | { readonly do: "pileUp"; readonly client: number; readonly to: number }
  /** The client sends what was last sent with a key, by whomever, once more with that key. */
  | { readonly do: "resend"; readonly client: number }
  /** A stranger writes what is no message, or to where no mailbox is. */
  | { readonly do: "junk"; readonly to: number; readonly isMisaddressed: boolean }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "crash"; readonly node: number }
  /** The node that comes to the fault point as the `nth` from now dies there. */
  | { readonly do: "crashAt"; readonly point: FaultPoint; readonly nth: number }
  | { readonly do: "freeze"; readonly node: number; readonly ms: number }
  | { readonly do: "cut"; readonly node: number; readonly ms: number }
  | { readonly do: "start" }
  /** The node hears nothing of the others and takes what they own, while they live and work: leases are for order and speed, not for safety. */
  | { readonly do: "deafen"; readonly node: number; readonly ms: number }
  | { readonly do: "stop"; readonly node: number }
  | { readonly do: "restartBroker"; readonly downMs: number }
  | { readonly do: "weather"; readonly kind: Weather }
  /** An operator redrives all dead letters. */
  | { readonly do: "redrive" }
  /** An operator drops the dead letters that actors are parked by. */
  | { readonly do: "unpark" };

/** How badly the broker behaves. */
export type Weather = "calm" | "rough" | "storm";

/** A whole world, and what happens in it. */
export interface Plan {
  readonly seed: number;
  readonly nodes: number;
  readonly clients: number;
  readonly partitions: number;
  readonly weather: Weather;
  /** `tight`: small commits, small queues, no cache. */
  readonly settings: "usual" | "tight";
  /** How late nodes hear of the leases of others: so long two may work on one partition. */
  readonly lateMs: number;
  /** Between messages that a client sends beside those of the steps; 0: none. */
  readonly drizzleMs: number;
  readonly steps: readonly Step[];
}

const small = fc.nat({ max: 5 });
const messages: readonly (readonly [number, Message])[] = [
  [8, "add"],
  [3, "flaky"],
  [2, "slow"],
  [2, "poison"],
  [1, "refuse"],
  [3, "gate"],
  [3, "say"],
  [1, "close"],
  [1, "unknown-event"],
  [1, "reserved"],
  [3, "create"],
];

function weighted<T>(choices: readonly (readonly [number, T])[]): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("send" as const),
      client: small,
      to: small,
      message: weighted(messages),
      count: weighted([
        [16, 1],
        [6, 3],
        [2, 8],
        [1, 24],
      ]),
      key: weighted<number | undefined>([
        [4, undefined],
        [1, 0],
        [1, 1],
      ]),
      ask: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pileUp" as const), client: small, to: small }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("resend" as const), client: small }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("junk" as const), to: small, isMisaddressed: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      ms: weighted([
        [3, 3],
        [3, 40],
        [3, 300],
        [2, 1500],
      ]),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), node: small }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("crashAt" as const),
      point: fc.constantFrom(...points),
      nth: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("freeze" as const),
      node: small,
      ms: weighted([
        [1, 300],
        [2, 2500],
      ]),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("cut" as const),
      node: small,
      ms: weighted([
        [1, 200],
        [2, 2000],
      ]),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("start" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("deafen" as const),
      node: small,
      ms: weighted([
        [2, 700],
        [1, 2000],
      ]),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("stop" as const), node: small }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("restartBroker" as const),
      downMs: weighted([
        [1, 20],
        [1, 400],
      ]),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("weather" as const),
      kind: fc.constantFrom<Weather>("calm", "rough", "storm"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("redrive" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unpark" as const) }) },
);

/** Draws plans; shrinks to few steps, one node, calm weather. */
export const plans: fc.Arbitrary<Plan> = fc.record({
  seed: fc.noShrink(fc.integer({ min: 1, max: 0x7fffffff })),
  nodes: fc.integer({ min: 1, max: 3 }),
  clients: fc.integer({ min: 1, max: 3 }),
  partitions: fc.integer({ min: 2, max: 4 }),
  weather: fc.constantFrom<Weather>("calm", "rough", "rough", "storm"),
  settings: fc.constantFrom<Plan["settings"]>("usual", "tight"),
  lateMs: fc.constantFrom(0, 50, 300),
  drizzleMs: fc.constantFrom(0, 70, 150),
  steps: fc.array(step, { minLength: 3, maxLength: 14, size: "max" }),
});
