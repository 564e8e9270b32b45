/** `statewright types`: the actor types that the nodes of a space have registered. */
import type { ActorTypeInfo } from "../../actors/client.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withClient } from "../open-client.ts";
import { type Kind, type OutputFormat, printList } from "../printer.ts";
import type { Io } from "../terminal.ts";

/** A registered actor type. */
const typeKind: Kind<ActorTypeInfo> = {
  id: ({ type }) => type,
  json: (info) => ({ ...info, events: info.events ?? null }),
  columns: [
    { header: "type", cell: ({ type }) => type },
    { header: "events", cell: ({ events }) => events?.join(", ") ?? "any", isFlexible: true },
    { header: "create first", cell: ({ needsCreate }) => (needsCreate ? "yes" : "no") },
    {
      header: "machine",
      cell: ({ machine }) => (machine.version === undefined ? machine.id : `${machine.id} ${machine.version}`),
      isFlexible: true,
      isMinor: true,
    },
    { header: "fingerprint", cell: ({ machine }) => machine.fingerprint.slice(0, 12), isMinor: true },
  ],
};

/** Prints the registered types, by name. */
export async function types(options: ConnectionFlags & { readonly output: OutputFormat }, io: Io): Promise<ExitCode> {
  const found = await withClient(options, io, (client) => client.types());
  if (found.length === 0) io.err.write("No node has registered any actor type in this space yet.\n");
  printList(io.out, options.output, typeKind, found);
  return exitCodes.ok;
}
