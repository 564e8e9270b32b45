/**
 * Scenarios: a machine, what happens to it, and what must be seen. One form for all that is run on a live actor of XState and on Statewright.
 *
 * 1. A scenario says nothing about how it is run: straight, with crashes, in memory, on a server.
 * 2. Between two steps everything that is under way comes to rest; hours pass only where a step says so.
 * 3. What a run leaves behind besides the actor's state (custom actions, log lines, emitted events) is one list: the trace.
 */
import type { AnyStateMachine } from "xstate";

/** An event as scenarios send it. */
export interface ScenarioEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What is expected of the root actor; what is not named is not compared. */
export interface Expectation {
  /** The whole state value. */
  readonly value?: unknown;
  readonly status?: "active" | "done" | "error" | "stopped";
  /** The whole context; an actor reference in it is written as `{ ref: <its id> }`. */
  readonly context?: unknown;
  /** Some fields of the context. */
  readonly contextHas?: Readonly<Record<string, unknown>>;
  readonly output?: unknown;
  /** Fields of the error with which the machine ended. */
  readonly error?: { readonly message?: string; readonly name?: string };
  /** Sorted. */
  readonly tags?: readonly string[];
  /** Events emitted by the root since the beginning, in order. */
  readonly emitted?: readonly ScenarioEvent[];
  /** What custom actions noted with `trace` since the beginning, in order. */
  readonly trace?: readonly unknown[];
  /** What `log` wrote since the beginning: the values, in order. */
  readonly logged?: readonly unknown[];
}

/** One thing that happens. */
export type ScenarioStep =
  /** The root gets an event. */
  | { readonly send: ScenarioEvent }
  /** So many hours pass, and half an hour more. Delays in scenarios are whole hours: the few seconds that a crash takes do not matter then. */
  | { readonly hours: number }
  | { readonly expect: Expectation };

/** A machine and what happens to it. */
export interface Scenario {
  /** A promise in the present tense, unique among all scenarios. */
  readonly name: string;
  /** What it is about: the rows of the matrix it covers, such as `history.deep`. */
  readonly covers: readonly string[];
  /** Made anew for every run, since what its actions note goes to that run's trace. */
  readonly machine: (world: ScenarioWorld) => AnyStateMachine;
  readonly input?: unknown;
  /** Something in it starts again after a crash, such as a callback: what is noted then is more than without, and the trace is not compared. */
  readonly restarts?: true;
  readonly steps: readonly ScenarioStep[];
}

/** What a scenario's machine may touch of the world outside. */
export interface ScenarioWorld {
  /** Adds to the trace: to be called in custom actions, promises and callbacks, never in guards and assigns. */
  readonly trace: (note: unknown) => void;
}

/** One hour in milliseconds: the unit of delays in scenarios. */
export const hour = 3_600_000;
