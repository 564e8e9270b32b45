/**
 * Transition logic (`fromTransition`) as a durable actor: a context that a function makes anew with every event.
 *
 * An event that leaves the very same context counts as ignored.
 */
import { createHash } from "node:crypto";
import { fromStored, toStored } from "../core/codec.ts";
import type { Birth } from "../core/envelope.ts";
import { TerminalError } from "../core/errors.ts";
import type { MachineIdentity, StoredSnapshot } from "../core/records.ts";
import type { MachineShape } from "../core/shape.ts";
import type {
  Arrival,
  ChildLogic,
  LiveChild,
  MachineDriver,
  MachineEvent,
  MachineState,
  StateView,
  Step,
  StepEnv,
} from "./driver.ts";
import { create, createFailed, restartTimerOf, type Stepper, step } from "./durable-step.ts";
import { freezeDeep } from "./freeze.ts";
import type { ChildKinds } from "./ledger.ts";
import type { RawLogic } from "./logic.ts";
import type { StepScope } from "./scope.ts";
import type { Storing } from "./snapshot.ts";
import { type AnySnapshot, asState, DurableState, insideOf } from "./state.ts";
import { decodeSurroundings, encodeSurroundings } from "./surroundings.ts";

interface TransitionSnapshot extends AnySnapshot {
  readonly context: unknown;
}

const noLive: readonly LiveChild[] = [];

/** The driver of transition logic; `name` is what its parent's machine calls it. */
export class TransitionDriver implements MachineDriver, Stepper<TransitionSnapshot> {
  readonly identity: MachineIdentity;
  readonly shape: MachineShape = { states: {} };
  readonly children: ReadonlyMap<string, ChildLogic> = new Map();
  readonly events: ReadonlySet<string> = new Set(["*"]);
  readonly machineId: string;
  readonly maxMicrosteps = 1;
  readonly kinds: ChildKinds;
  readonly #logic: RawLogic;

  constructor(logic: RawLogic, name: string) {
    this.#logic = logic;
    this.machineId = name;
    this.identity = { id: name, fingerprint: createHash("sha256").update("transition").digest("hex").slice(0, 16) };
    this.kinds = {
      identify: () => {
        throw new TerminalError(
          `Cannot start an actor from the transition logic "${name}": only machines have children.`,
        );
      },
    };
  }

  create(input: unknown, env: StepEnv, birth?: Birth, before?: MachineState): Step {
    return create(this, input, env, birth, before);
  }
  createFailed(error: unknown, input: unknown, env: StepEnv, birth: Birth, before?: MachineState): Step {
    return createFailed(this, error, input, env, birth, before);
  }
  step(state: MachineState, arrival: Arrival, env: StepEnv): Step {
    return step(this, state, arrival, env);
  }
  resume(state: MachineState): Step {
    return { state, outcome: "ignored", work: [] };
  }
  needsRecord(): readonly string[] {
    return [];
  }

  view(state: MachineState): StateView {
    return { status: insideOf(state).snapshot.status, value: null };
  }
  hasTimer(state: MachineState, timer: string): boolean {
    return insideOf(state).around.timers.has(timer);
  }
  timerEvent(state: MachineState, timer: string): MachineEvent | undefined {
    return insideOf(state).around.timers.get(timer)?.event;
  }
  restartTimer(state: MachineState): ReturnType<MachineDriver["restartTimer"]> {
    return restartTimerOf(state);
  }
  runOf(): undefined {
    return undefined;
  }
  activity(): undefined {
    return undefined;
  }
  live(): readonly LiveChild[] {
    return noLive;
  }
  show(told: unknown): unknown {
    const { status, context, output, error } = told as Record<string, unknown>;
    return { status, context, output, error };
  }

  toStored(state: MachineState): StoredSnapshot {
    const { snapshot, around } = insideOf<TransitionSnapshot>(state);
    const stored: Storing = { value: null, context: toStored(snapshot.context, "context") };
    if (snapshot.output !== undefined) stored.output = toStored(snapshot.output, "output");
    if (snapshot.error !== undefined) stored.error = toStored(snapshot.error, "error");
    encodeSurroundings(stored, around);
    return stored;
  }

  fromStored(stored: StoredSnapshot, status: StateView["status"]): MachineState {
    const snapshot = {
      status,
      context: freezeDeep(fromStored(stored.context)),
      output: fromStored(stored.output),
      error: fromStored(stored.error),
    };
    return asState(new DurableState(snapshot, decodeSurroundings(stored)));
  }

  initial(scope: StepScope, input: unknown): TransitionSnapshot {
    return this.#logic.getInitialSnapshot(scope as never, input) as TransitionSnapshot;
  }
  next(snapshot: TransitionSnapshot, event: MachineEvent, scope: StepScope): TransitionSnapshot {
    // Transition logic takes `emit` out of its scope and calls it alone.
    Object.defineProperty(scope, "emit", { value: scope.emit.bind(scope) });
    const after = this.#logic.transition(snapshot as never, event as never, scope as never) as TransitionSnapshot;
    if (after.context === snapshot.context && after.status === snapshot.status) return snapshot;
    scope.isHandled = true;
    return after;
  }
  settle(snapshot: TransitionSnapshot): TransitionSnapshot {
    freezeDeep(snapshot.context);
    return snapshot;
  }
  ended(snapshot: TransitionSnapshot, status: "error" | "stopped", error: unknown): TransitionSnapshot {
    return { ...snapshot, status, error };
  }
  stillborn(error: unknown): TransitionSnapshot {
    return { status: "error", output: undefined, error: fromStored(toStored(error, "error")), context: null };
  }
  refusal(): undefined {
    return undefined;
  }
  reviveSnapshot(_src: string, told: unknown): unknown {
    return told;
  }
}
