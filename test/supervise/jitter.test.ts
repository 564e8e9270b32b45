/** The kinds of jitter draw from the distributions that the table at `computedDelays` names: thousands of draws for each, judged by statistics. */
import { describe, expect, it } from "vitest";
import { Prng } from "../../runtime/memory/prng.ts";
import { computedDelays, type Jitter, type RetryState } from "../../runtime/supervise/retry-delays.ts";
import { againstDistribution, againstSample, type Deviation, ofIndependence } from "./statistics.ts";

const baseMs = 1000;
const factor = 2;
const capMs = 20_000;
const actors = 5000;
const attempts = 7;

/** What the table says a delay grows to, written down once more. */
const grown = [1000, 2000, 4000, 8000, 16_000, 20_000, 20_000];

/** The delays of many actors that fail together, attempt after attempt: `delays[attempt - 1][actor]`. All draw from one generator, as on a node. */
function drawn(jitter: Jitter, seed: string, keepsState = true): number[][] {
  const next = computedDelays({ baseMs, factor, capMs, jitter });
  const prng = new Prng(seed);
  const states: Array<RetryState | undefined> = Array.from({ length: actors }, () => undefined);
  return grown.map((_, at) =>
    states.map((state, actor) => {
      const failure = { error: "e", attempt: at + 1, nowMs: 0, elapsedMs: 0, random: () => prng.next() };
      const delay = next(keepsState ? state : undefined, failure);
      if (delay.ended) throw new Error("A computed series has no end.");
      states[actor] = delay.state;
      return delay.delayMs;
    }),
  );
}

/** Decorrelated jitter by its recurrence alone, with another generator and without rounding. */
function simulated(seed: number): number[][] {
  let x = seed;
  const uniform = (): number => {
    // Park and Miller's minimal standard generator.
    x = (x * 48_271) % 2_147_483_647;
    return x / 2_147_483_647;
  };
  const previous = Array.from({ length: actors }, () => baseMs);
  return grown.map(() =>
    previous.map((before, actor) => {
      const low = baseMs;
      const high = before * 3;
      const delay = Math.min(capMs, low + (high - low) * uniform());
      previous[actor] = delay;
      return delay;
    }),
  );
}

function expectWithin(what: string, { found, allowed }: Deviation): void {
  expect(found, what).toBeLessThan(allowed);
}

const uniformCdf = (low: number, high: number) => (value: number) =>
  Math.min(1, Math.max(0, (value - low) / (high - low)));

describe("a delay without jitter", () => {
  it("is the same for all actors, and as long as the table says", () => {
    for (const [at, delays] of drawn("none", "none").entries()) expect(new Set(delays)).toEqual(new Set([grown[at]]));
  });
});

describe("full jitter", () => {
  it("is uniform from nothing to the whole delay, after every attempt", () => {
    for (const [at, delays] of drawn("full", "full").entries()) {
      expectWithin(`attempt ${at + 1}`, againstDistribution(delays, uniformCdf(0, grown[at] as number)));
      expect(Math.max(...delays)).toBeLessThanOrEqual(grown[at] as number);
    }
  });
});

describe("equal jitter", () => {
  it("is uniform over the upper half of the delay, after every attempt", () => {
    for (const [at, delays] of drawn("equal", "equal").entries()) {
      const whole = grown[at] as number;
      expectWithin(`attempt ${at + 1}`, againstDistribution(delays, uniformCdf(whole / 2, whole)));
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(whole / 2);
      expect(Math.max(...delays)).toBeLessThanOrEqual(whole);
    }
  });
});

describe("decorrelated jitter", () => {
  it.each([
    ["from delay to delay", true],
    ["where its state is lost each time", false],
  ])("is distributed as its recurrence says, after every attempt, %s", (_, keepsState) => {
    const expected = simulated(4711);
    for (const [at, delays] of drawn("decorrelated", `decorrelated ${keepsState}`, keepsState).entries()) {
      expectWithin(`attempt ${at + 1}`, againstSample(delays, expected[at] as number[]));
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(baseMs);
      expect(Math.max(...delays)).toBeLessThanOrEqual(Math.min(capMs, baseMs * 3 ** (at + 1)));
    }
  });

  it("reaches the cap, and as often as its recurrence says", () => {
    const share = (delays: readonly number[]): number => delays.filter((delay) => delay >= capMs).length / actors;
    const [found, expected] = [drawn("decorrelated", "cap"), simulated(815)].map((each) =>
      share(each.at(-1) as number[]),
    );
    expect(expected).toBeGreaterThan(0.1);
    // Four standard deviations of the difference of two shares.
    expect(Math.abs((found as number) - (expected as number))).toBeLessThan(4 * Math.sqrt(0.5 / actors));
  });
});

describe("actors that fail together", () => {
  /** Each delay as the uniform number that it stands for. */
  function uniforms(jitter: Jitter): number[][] {
    const delays = drawn(jitter, `together ${jitter}`);
    if (jitter === "full") return delays.map((row, at) => row.map((delay) => delay / (grown[at] as number)));
    if (jitter === "equal") return delays.map((row, at) => row.map((delay) => (2 * delay) / (grown[at] as number) - 1));
    return delays.map((row, at) =>
      row.map((delay, actor) => {
        const before = at === 0 ? baseMs : ((delays[at - 1] as number[])[actor] as number);
        return (delay - baseMs) / (3 * before - baseMs);
      }),
    );
  }

  // Beyond these attempts the cap hides what was drawn.
  it.each<[Jitter, number]>([
    ["full", attempts],
    ["equal", attempts],
    ["decorrelated", 2],
  ])(
    "do not come back together with %s jitter: a delay tells nothing of the next actor's, nor of its own next one",
    (jitter, upTo) => {
      const rows = uniforms(jitter).slice(0, upTo);
      for (const [at, row] of rows.entries()) {
        const neighbours = row.slice(1).map((u, i) => [row[i] as number, u] as const);
        expectWithin(`between actors, attempt ${at + 1}`, ofIndependence(neighbours));
        const after = rows[at + 1];
        if (after === undefined) continue;
        const successive = row.map((u, actor) => [u, after[actor] as number] as const);
        expectWithin(`between attempts ${at + 1} and ${at + 2}`, ofIndependence(successive));
      }
    },
  );
});

describe("the statistics themselves", () => {
  const prng = new Prng("statistics");
  const uniform = Array.from({ length: actors }, () => prng.next());
  const cube = uniform.map((u) => u ** 1.1);

  it.each<[string, Deviation]>([
    ["a distribution that is bent a little", againstDistribution(cube, uniformCdf(0, 1))],
    [
      "a sample that is bent a little",
      againstSample(
        cube,
        Array.from({ length: actors }, () => prng.next()),
      ),
    ],
    [
      "a range that is 5 % too short",
      againstDistribution(
        uniform.map((u) => u * 0.95),
        uniformCdf(0, 1),
      ),
    ],
    [
      "pairs that go together one time in ten",
      ofIndependence(uniform.map((u) => [u, prng.chance(0.1) ? u : prng.next()])),
    ],
  ])("find %s", (_, { found, allowed }) => {
    expect(found).toBeGreaterThan(allowed);
  });
});
