/** The options of the demo's command line. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { type Size, sizes } from "./data.ts";

/** What was asked for, checked. */
export interface Options {
  readonly flights: Size;
  readonly nodes: number;
  readonly keep: boolean;
  /** Url of a server that runs already; undefined: the demo starts one. */
  readonly nats: string | undefined;
}

/** Reads the command line; for `--help` and for what cannot be used it prints what there is to say and ends the process (exit codes 0 and 2). */
export function readOptions(args: readonly string[]): Options {
  const program = new Command("npm run demo --")
    .description("Replays real flights through durable actors, kills a node on the way, and counts again.")
    .addOption(
      new Option("--flights <count>", "how many flights to replay").choices(sizes.map(String)).default("10000"),
    )
    .addOption(new Option("--nodes <count>", "how many node processes to run").default(2).argParser(readNodes))
    .option("--keep", "leave server and nodes running, for looking around", false)
    .addOption(new Option("--nats <url>", "use this server (default: the demo starts one)").argParser(readUrl))
    .allowExcessArguments(false)
    .showHelpAfterError("(--help shows all options)")
    .exitOverride();
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exit(error.exitCode === 0 ? 0 : 2);
  }
  const { flights, nodes, keep, nats } = program.opts<{
    flights: string;
    nodes: number;
    keep: boolean;
    nats?: string;
  }>();
  return { flights: Number(flights) as Size, nodes, keep, nats };
}

function readNodes(text: string): number {
  const nodes = Number(text);
  if (Number.isInteger(nodes) && nodes >= 1 && nodes <= 8) return nodes;
  throw new InvalidArgumentError("Use a whole number from 1 to 8.");
}

function readUrl(text: string): string {
  if (/^(nats|tls):\/\/[^\s]+$/.test(text)) return text;
  throw new InvalidArgumentError("Use nats://host:port.");
}
