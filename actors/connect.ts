/** Connects a service to a space, as a client. */
import { systemTime } from "../runtime/core/time.ts";
import { type Client, createClient } from "./client.ts";
import type { AnyActorDefinition } from "./define-actor.ts";
import { defaultSpace, openSpaceLog, type SpaceOptions } from "./space-options.ts";

/** Options of {@link connect}; all have defaults. */
export interface ConnectOptions extends SpaceOptions {
  /** Definitions whose schemas check events before they are sent. Default: none; refs of definitions bring theirs along. */
  readonly actors?: readonly AnyActorDefinition[];
  /** Stable name of the service. It is part of what an idempotency key is compared with before the actor sees it. Default: `client`. */
  readonly sender?: string;
  /** Sends to actor types that no node has registered yet. Default: false. */
  readonly allowUnknownTypes?: boolean;
}

/**
 * Opens the space (making it when there is none) and returns a client of it. Close it with `client.close()`.
 *
 * *Errors*: `InvalidOptionsError`, `LogUnavailableError`, `NotAuthorizedError`, `SpaceConfigError`, `SpaceIdentityError`, `InvalidNameError`.
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const opened = await openSpaceLog(
    options,
    ["actors", "sender", "allowUnknownTypes"],
    "Cannot connect",
    `statewright client ${options.sender ?? "client"}`,
  );
  try {
    return createClient({
      log: opened.log,
      space: opened.space,
      spaceName: options.space ?? defaultSpace,
      time: systemTime,
      ingressLimits: opened.ingressLimits,
      onClose: () => opened.close(),
      ...(options.sender === undefined ? {} : { sender: options.sender }),
      ...(options.actors === undefined ? {} : { actors: options.actors }),
      ...(options.allowUnknownTypes === undefined ? {} : { allowUnknownTypes: options.allowUnknownTypes }),
    });
  } catch (error) {
    await opened.close();
    throw error;
  }
}
