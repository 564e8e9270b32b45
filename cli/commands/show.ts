/** `statewright show`: the newest committed state of actors. */
import type { Client } from "../../actors/client.ts";
import { parseAddress } from "../../runtime/core/address.ts";
import { ActorNotFoundError } from "../../runtime/core/errors.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withClient } from "../open-client.ts";
import { type OutputFormat, printItem } from "../printer.ts";
import type { Io } from "../terminal.ts";
import { stateKind } from "./state-view.ts";

/** Prints each actor; the first that does not exist ends the command. Errors: `ActorNotFoundError`. */
export async function show(
  actors: readonly string[],
  options: ConnectionFlags & { readonly output: OutputFormat },
  io: Io,
): Promise<ExitCode> {
  for (const actor of actors) parseAddress(actor);
  await withClient(options, io, async (client) => {
    for (const [at, actor] of actors.entries()) {
      const view = await client.get(actor);
      if (view === undefined) throw await notFound(client, actor);
      if (at > 0 && options.output === "table") io.out.write("\n");
      printItem(io.out, options.output, stateKind, view);
    }
  });
  return exitCodes.ok;
}

async function notFound(client: Client, actor: string): Promise<ActorNotFoundError> {
  const handled = await client.history(actor, { last: 1 });
  const why =
    handled.length === 0
      ? "it has not handled any message yet"
      : `it was never created, though it has handled messages; "statewright history ${actor}" shows what became of them`;
  return new ActorNotFoundError(`Cannot show ${actor}: ${why}.`, { details: { actor } });
}
