/** `statewright ask` and `statewright create`: messages whose outcome is waited for. */
import { parseAddress } from "../../runtime/core/address.ts";
import { ConflictError } from "../../runtime/core/errors.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { parseJson, readAll } from "../event-argument.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withClient } from "../open-client.ts";
import { type OutputFormat, printItem } from "../printer.ts";
import type { Io } from "../terminal.ts";
import { callOptions, readGivenEvent, wishesOf } from "./send.ts";
import { answerKind } from "./state-view.ts";

/** What the options of `ask` and `create` hold. */
export interface AskFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  readonly data?: string;
  readonly key?: string;
  readonly timeout: number;
  readonly sender?: string;
  readonly allowUnknown?: boolean;
}

/** Sends an event and prints its outcome: the state after it, and the reply. */
export async function ask(actor: string, event: string, flags: AskFlags, io: Io): Promise<ExitCode> {
  parseAddress(actor);
  const given = await readGivenEvent(event, flags.data, io);
  const result = await withClient(flags, io, (client) => client.ask(actor, given, callOptions(flags)), wishesOf(flags));
  printItem(io.out, flags.output, answerKind, { actor, result });
  return exitCodes.ok;
}

/**
 * Makes an actor and prints its state.
 *
 * Errors: `ConflictError` when it exists already, unless `ifMissing`: its state is printed then.
 */
export async function create(
  actor: string,
  input: string | undefined,
  flags: AskFlags & { readonly ifMissing?: boolean },
  io: Io,
): Promise<ExitCode> {
  parseAddress(actor);
  const text = input === "-" ? await readAll(io.stdin) : input;
  const value = text === undefined ? undefined : parseJson(text, "the input");
  const result = await withClient(
    flags,
    io,
    (client) => client.create(actor, value, callOptions(flags)),
    wishesOf(flags),
  );
  if (!result.created && flags.ifMissing !== true) {
    throw new ConflictError(
      `Cannot create ${actor}: it exists already, at revision ${result.view.revision}. Nothing was changed; --if-missing makes this no error.`,
      { details: { actor, revision: result.view.revision, message: result.message } },
    );
  }
  const kind: typeof answerKind = {
    ...answerKind,
    id: () => actor,
    json: (answered) => ({ ...(answerKind.json(answered) as object), created: result.created }),
  };
  printItem(io.out, flags.output, kind, { actor, result });
  return exitCodes.ok;
}
