/**
 * Runs scenarios on a live actor of XState: what it shows there is what the scenario has to expect.
 *
 * Time is simulated and moves from timer to timer, so that each comes at its hour; what promises bring comes to rest before time goes on.
 */
import { createActor, SimulatedClock } from "xstate";
import type { Observation } from "./compare.ts";
import { hour, type Scenario, type ScenarioEvent } from "./scenario.ts";

/** Returns an observation for every `expect` of the scenario, in order. Throws when its delays are not as scenarios promise. */
export async function runLive(scenario: Scenario): Promise<Observation[]> {
  const clock = new HourClock(scenario.name);
  const trace: unknown[] = [];
  const logged: unknown[] = [];
  const emitted: ScenarioEvent[] = [];
  const actor = createActor(scenario.machine({ trace: (note) => void trace.push(note) }), {
    clock,
    // With a label XState's logger gets two arguments, the value last.
    logger: (...line) => void logged.push(line.at(-1)),
    ...("input" in scenario ? { input: scenario.input } : {}),
  });
  actor.on("*", (event) => void emitted.push(event as ScenarioEvent));
  // Without a listener XState throws the error of a failed root out of a timeout.
  actor.subscribe({ error: () => {} });
  actor.start();
  await rest(clock);
  const observations: Observation[] = [];
  for (const step of scenario.steps) {
    if ("send" in step) {
      actor.send(step.send);
      await rest(clock);
    } else if ("hours" in step) {
      await pass(clock, step.hours);
    } else {
      const { value, status, context, output, error, tags } = actor.getSnapshot();
      observations.push({
        value,
        status,
        context,
        output,
        error,
        tags: [...tags].sort(),
        emitted: [...emitted],
        trace: [...trace],
        logged: [...logged],
      });
    }
  }
  actor.stop();
  return observations;
}

/** Lets promises settle, and what has no delay happen. */
async function rest(clock: HourClock): Promise<void> {
  for (let round = 0; round < 4; round++) {
    clock.increment(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function pass(clock: HourClock, hours: number): Promise<void> {
  const end = clock.now() + (hours + 0.5) * hour;
  for (let due = clock.nextDue(); due !== undefined && due <= end; due = clock.nextDue()) {
    clock.set(Math.max(due, clock.now()));
    await rest(clock);
  }
  clock.set(end);
  await rest(clock);
  clock.checkEdges();
}

/** A simulated clock that knows which timer is next, and refuses what makes a scenario depend on seconds. */
class HourClock extends SimulatedClock {
  readonly #scenario: string;
  readonly #due = new Map<number, number>();
  #lastDue = 0;

  constructor(scenario: string) {
    super();
    this.#scenario = scenario;
  }

  override setTimeout(fn: (...args: unknown[]) => void, delayMs: number): number {
    if (delayMs % hour !== 0) {
      throw new Error(`"${this.#scenario}" sets a delay of ${delayMs} ms: delays in scenarios are whole hours.`);
    }
    const due = this.now() + delayMs;
    const fire = (): void => {
      this.#due.delete(id);
      if (delayMs > 0) this.#lastDue = due;
      fn();
    };
    const id = super.setTimeout(fire, delayMs);
    this.#due.set(id, due);
    return id;
  }

  override clearTimeout(id: number): void {
    this.#due.delete(id);
    super.clearTimeout(id);
  }

  nextDue(): number | undefined {
    return this.#due.size === 0 ? undefined : Math.min(...this.#due.values());
  }

  /** Throws when a timer is due so near to the end of a step that it may be before or after it where time passes between steps. */
  checkEdges(): void {
    for (const due of [this.#lastDue, ...this.#due.values()]) {
      if (due > 0 && Math.abs(this.now() - due) < hour / 4) {
        throw new Error(
          `"${this.#scenario}" has a timer that is due just as its step of hours ends: move the one or the other.`,
        );
      }
    }
  }
}
