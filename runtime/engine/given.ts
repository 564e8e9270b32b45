/** What a decision is made about: the message, the actor, its definition, and what is told of the world. */
import type { Envelope } from "../core/envelope.ts";
import type { MachineDriver, StepEnv } from "../machine/driver.ts";
import type { RunnableDefinition } from "./definition.ts";
import type { Delivery } from "./delivery.ts";
import type { Head } from "./head.ts";
import { driverOf } from "./logic-of.ts";
import type { SizeLimits } from "./outbox.ts";
import { restartRule } from "./restarts.ts";

/** What a decision is made from, besides head and message. */
export interface DecideEnv {
  readonly now: number;
  readonly node: string;
  readonly space: string;
  readonly limits: SizeLimits;
  readonly isReply: (subject: unknown) => boolean;
  /** The answer of an earlier, still uncommitted message with the same key. */
  readonly pendingKey: (key: string) => string | undefined;
}

/** What every decision is made about. */
export interface Given {
  readonly definition: RunnableDefinition | undefined;
  readonly head: Head;
  readonly delivery: Delivery;
  readonly env: DecideEnv;
  /** Undefined when the message cannot be read. */
  readonly envelope: Envelope | undefined;
}

/** The logic of the actor that is decided for. */
export function driverFor({ definition, head }: Given): MachineDriver {
  return driverOf(definition as RunnableDefinition, head.birth);
}

/** What the machine is told of the world. `birth`: of a child that is being started. */
export function stepEnvOf({ definition, head, delivery, env }: Given, birth = head.birth): StepEnv {
  const restart = birth === undefined ? undefined : restartRule(definition, delivery.to, birth);
  return { self: delivery.to, now: env.now, restart };
}
