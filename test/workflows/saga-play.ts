/** Plays the machine of a saga by hand: what it asks for is on a list, and comes to an end when the test says so. */
import { type AnyMachineSnapshot, initialTransition, transition } from "xstate";
import { evaluate, toldOf } from "../../runtime/machine/actions.ts";
import type { Work } from "../../runtime/machine/driver.ts";
import { failureOf } from "../../runtime/machine/endings.ts";
import { unkeyed } from "../../runtime/machine/keyed-input.ts";
import { sagaMachine } from "../../workflows/saga/machine.ts";
import type { Branch, Doing, SagaModel, SagaNode, StepNode, WaitNode } from "../../workflows/saga/model.ts";
import type { SagaContext } from "../../workflows/saga/progress.ts";

export const handler: Doing = { kind: "handler", run: () => undefined };

export function step(name: string, more: Partial<StepNode> = {}): StepNode {
  return {
    kind: "step",
    name,
    do: handler,
    undo: handler,
    isIrreversible: false,
    isPivot: false,
    undoOn: "attempted",
    retry: undefined,
    undoRetry: undefined,
    attemptTimeoutMs: undefined,
    timeoutMs: undefined,
    undoTimeoutMs: undefined,
    isFatal: () => false,
    ...more,
  };
}

export function pivot(name: string, more: Partial<StepNode> = {}): StepNode {
  return step(name, { undo: undefined, isPivot: true, ...more });
}

export function branch(name: string, ...nodes: SagaNode[]): Branch {
  return { name, isSingle: nodes.length === 1 && nodes[0]?.name === name, nodes };
}

export function all(...branches: Branch[]): SagaNode {
  return { kind: "all", name: branches.map(({ name }) => name).join("+"), branches };
}

export function choose(name: string, pick: (scope: any) => string, ...branches: Branch[]): SagaNode {
  return { kind: "choose", name, pick, branches };
}

export function wait(name: string, more: Partial<WaitNode> = {}): WaitNode {
  return {
    kind: "wait",
    name,
    schema: undefined,
    withinMs: undefined,
    otherwise: { kind: "fail" },
    escalations: [],
    ...more,
  };
}

export function model(nodes: readonly SagaNode[], more: Partial<SagaModel> = {}): SagaModel {
  return {
    name: "order",
    nodes,
    end: undefined,
    timeoutMs: undefined,
    settleMs: 30_000,
    retry: undefined,
    undoRetry: undefined,
    ...more,
  };
}

export interface Asked {
  readonly input: any;
  readonly key: string | undefined;
}

type Event = { readonly type: string; readonly [field: string]: unknown };

export class Play {
  readonly asked = new Map<string, Asked>();
  /** Everything that was ever asked for, in order. */
  readonly log: string[] = [];
  readonly keys: Array<[id: string, key: string | undefined]> = [];
  readonly letters: Array<Extract<Work, { kind: "letter" }>> = [];
  readonly replies: unknown[] = [];
  now = 0;
  #snapshot: AnyMachineSnapshot;
  readonly #timers = new Map<string, { readonly at: number; readonly event: Event }>();
  readonly #machine;

  constructor(given: SagaModel, input: unknown = {}) {
    this.#machine = sagaMachine(given).machine;
    const run = { space: "test", type: given.name, id: "7", n: 1 };
    const [snapshot, actions] = initialTransition(this.#machine, { input, run } as never);
    this.#snapshot = snapshot;
    if (snapshot.status === "error") throw snapshot.error;
    this.#enter(actions);
  }

  get value(): unknown {
    return this.#snapshot.value;
  }

  get context(): SagaContext {
    return this.#snapshot.context;
  }

  get status(): string {
    return this.#snapshot.status;
  }

  get tags(): string[] {
    return [...this.#snapshot.tags].sort();
  }

  get output(): any {
    return this.#snapshot.output;
  }

  get error(): any {
    return failureOf(this.#snapshot.output)?.error;
  }

  get pending(): string[] {
    return [...this.asked.keys()].sort();
  }

  /** Sends an event; returns whether a transition was taken. */
  send(event: Event): boolean {
    if (this.status !== "active") return false;
    const before = this.#snapshot;
    const [snapshot, actions] = transition(this.#machine, before, event as never);
    this.#snapshot = deepFreeze(snapshot);
    this.#enter(actions);
    return snapshot !== before || actions.length > 0;
  }

  /** What was asked for ends with a result. */
  done(id: string, output: unknown = `${id} ok`): void {
    this.#take(id);
    this.send({ type: `xstate.done.actor.${id}`, output, actorId: id });
  }

  fails(id: string, error: unknown = new Error(`${id} broken`), attempts = 3): void {
    this.#take(id);
    this.send({ type: `xstate.error.actor.${id}`, error, attempts, actorId: id });
  }

  /** Lets time pass, and what is due come. */
  advance(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
      if (due === undefined) break;
      const [id, { at, event }] = due;
      this.#timers.delete(id);
      this.now = at;
      this.send(event);
    }
    this.now = until;
  }

  #take(id: string): void {
    if (!this.asked.delete(id)) throw new Error(`${id} was not asked for; asked: ${this.pending.join(", ")}`);
  }

  #enter(actions: ReadonlyArray<{ type: string; params?: any; info?: unknown; exec?: unknown }>): void {
    for (const { type, params, info, exec } of actions) {
      const told = toldOf(exec);
      if (told !== undefined) {
        const work = evaluate(told, info, params);
        if (work.kind === "letter") this.letters.push(work);
        if (work.kind === "reply") this.replies.push(work.value);
      } else if (type === "xstate.spawnChild") {
        const { input, key } = unkeyed(params.input);
        this.asked.set(params.id, { input, key });
        this.log.push(params.id);
        this.keys.push([params.id, key]);
      } else if (type === "xstate.stopChild") this.asked.delete(params.id);
      else if (type === "xstate.raise" && params.delay !== undefined)
        this.#timers.set(params.id, { at: this.now + params.delay, event: params.event });
      else if (type === "xstate.cancel") this.#timers.delete(params);
    }
  }
}

function deepFreeze(snapshot: AnyMachineSnapshot): AnyMachineSnapshot {
  freeze(snapshot.context);
  return snapshot;
}

function freeze(value: unknown): void {
  if (typeof value !== "object" || value === null || value instanceof Error || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const field of Object.values(value)) freeze(field);
}
