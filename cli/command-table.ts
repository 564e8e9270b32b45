/** The commands and their options as data: what `program.ts` parses by, and what `--help` and docs/cli.md show. */
import type { DeadReason } from "../runtime/core/records.ts";
import { logFormats, logLevels } from "./node-log.ts";
import { readCount, readDuration, readPlace, readPort } from "./option-values.ts";
import { outputFormats } from "./printer.ts";

/** The commands, by the words that call them. */
export type CommandName =
  | "run"
  | "dev"
  | "send"
  | "ask"
  | "create"
  | "show"
  | "history"
  | "events"
  | "types"
  | "check"
  | "migrate"
  | "dlq ls"
  | "dlq show"
  | "dlq redrive"
  | "dlq drop"
  | "version";

/** An option of a command. */
export interface OptionEntry {
  readonly flags: string;
  readonly text: string;
  /** Variable of the environment that stands in for it. */
  readonly variable?: string;
  readonly choices?: readonly string[];
  readonly default?: unknown;
  /** The default in words, also where the library below has it and nothing is passed. */
  readonly defaultText?: string;
  /** Reads the text; throws an error whose message says what to use. */
  readonly read?: (text: string) => unknown;
  readonly isRepeatable?: boolean;
}

/** Options that are shown together. */
export interface OptionGroup {
  readonly heading: string;
  readonly options: readonly OptionEntry[];
}

/** A command. */
export interface CommandEntry {
  readonly name: CommandName;
  /** Where lists of commands show it. */
  readonly group: string;
  readonly alias?: string;
  /** The arguments, as in `<actor> [event]`. */
  readonly args: string;
  readonly summary: string;
  readonly description?: string;
  readonly examples: readonly string[];
  readonly options: readonly OptionGroup[];
}

/** What the reasons of dead letters mean. */
export const deadReasons: Readonly<Record<DeadReason, string>> = {
  malformed: "the bytes are not a message",
  schema: "the schema refused the event, or the actor declares no such event",
  reserved: "the event's name is reserved for the runtime",
  "unknown-type": "no node runs the actor's type",
  "not-created": "the actor takes a create first",
  attempts: "all attempts failed",
  terminal: "a TerminalError, or an error that the policy does not retry",
  "too-large": "the state, or what was to be sent, is too large",
  crashed: "the process that handled it came to its end, again and again",
};

/** The variables of the environment that the commands read. */
export const variables: ReadonlyArray<readonly [string, string]> = [
  ["STATEWRIGHT_NATS", "as --nats"],
  ["STATEWRIGHT_SPACE", "as --space"],
  ["STATEWRIGHT_CREDS", "as --creds"],
  ["STATEWRIGHT_USER", "as --user"],
  ["STATEWRIGHT_PASSWORD", "the password of --user; arguments can be seen by everyone on the machine"],
  ["STATEWRIGHT_TOKEN", "a token, for servers that ask for one"],
  ["STATEWRIGHT_NATS_SERVER", "the nats-server that dev starts"],
  ["NO_COLOR", "no colours"],
];

const verbose: OptionEntry = { flags: "-v, --verbose", text: "print warnings, and the stacks of errors" };

const space: OptionEntry = {
  flags: "-s, --space <name>",
  text: "the space",
  defaultText: "default",
  variable: "STATEWRIGHT_SPACE",
};

const partitions: OptionEntry = {
  flags: "--partitions <count>",
  text: "how many partitions a new space gets; an existing one with another number is refused",
  defaultText: "16",
  read: readCount,
};

const connection: OptionGroup = {
  heading: "Connection:",
  options: [
    {
      flags: "--nats <url>",
      text: "NATS server, or several of one cluster with commas",
      defaultText: "nats://127.0.0.1:4222",
      variable: "STATEWRIGHT_NATS",
    },
    space,
    { flags: "--creds <file>", text: "credentials file", variable: "STATEWRIGHT_CREDS" },
    { flags: "--user <name>", text: "user, whose password is in STATEWRIGHT_PASSWORD", variable: "STATEWRIGHT_USER" },
    { flags: "--tls-ca <file>", text: "certificates of the authorities to trust" },
    { flags: "--tls-cert <file>", text: "own certificate" },
    { flags: "--tls-key <file>", text: "key of the own certificate" },
    { flags: "--tls-first", text: "begin with TLS before the server has said anything" },
    { flags: "--domain <name>", text: "JetStream domain, for leaf nodes" },
    { flags: "--inbox-prefix <subject>", text: "prefix for answers, where the server pins it per user" },
  ],
};

const log: OptionGroup = {
  heading: "Log:",
  options: [
    { flags: "--log-level <level>", text: "from which level on", choices: logLevels, default: "info" },
    {
      flags: "--log-format <format>",
      text: "for people, or for collectors",
      choices: logFormats,
      default: "pretty",
    },
  ],
};

const letterFilters: OptionGroup = {
  heading: "Which letters:",
  options: [
    { flags: "--type <type>", text: "for actors of this type" },
    { flags: "--id <id>", text: "for this one actor; with --type" },
    { flags: "--reason <reason>", text: "that died for this reason", choices: Object.keys(deadReasons) },
  ],
};

function options(...entries: readonly OptionEntry[]): OptionGroup {
  return { heading: "Options:", options: [...entries, verbose] };
}

function output(what: string): OptionEntry {
  return {
    flags: "-o, --output <format>",
    text: `json is one document a line, ids is ${what}, one a line`,
    choices: outputFormats,
    default: "table",
  };
}

function timeout(defaultMs: number, isPassed: boolean): OptionEntry {
  return {
    flags: "-t, --timeout <duration>",
    text: "how long to wait, such as 500ms, 5s or 2m",
    defaultText: `${defaultMs / 1000}s`,
    read: readDuration,
    ...(isPassed ? { default: defaultMs } : {}),
  };
}

function key(meaning: string): OptionEntry {
  return { flags: "-k, --key <key>", text: `idempotency key: applied once per actor and key; ${meaning}` };
}

function limit(what: string, count?: number): OptionEntry {
  return {
    flags: "--limit <count>",
    text: what,
    read: readCount,
    ...(count === undefined ? {} : { default: count, defaultText: String(count) }),
  };
}

function change(verb: string): readonly OptionEntry[] {
  return [
    { flags: "--all", text: `${verb} all that match` },
    limit("with --all: how many at most, oldest first"),
    { flags: "--dry-run", text: "print the letters that are meant, and change nothing" },
  ];
}

const data: OptionEntry = {
  flags: "-d, --data <json>",
  text: "what the event carries, as a JSON object; - reads standard input",
};

const sending: readonly OptionEntry[] = [
  { flags: "--sender <name>", text: "name of the sender, which permissions can pin", defaultText: "cli" },
  { flags: "--allow-unknown", text: "send to an actor type that no node has registered yet" },
];

/** All commands, in the order in which help shows them. */
export const commandTable: readonly CommandEntry[] = [
  {
    name: "run",
    group: "Nodes:",
    args: "<module...>",
    summary: "Run the actors and activities that modules export, as a node of a space",
    description:
      "A module exports what defineActor and defineActivity return: by default, by name, or in a list. TypeScript needs tsx in the project. SIGTERM and SIGINT end the node in order: what is decided is committed, the partitions are handed over, and activities may end, or else are given back for other nodes. A second signal ends it at once.",
    examples: [
      "statewright run ./dist/actors.js",
      "statewright run ./dist/actors.js --activities --max-activities 20",
      "statewright run ./order.ts ./payment.ts --space shop --log-format json",
    ],
    options: [
      options(
        {
          flags: "--name <name>",
          text: "name of the node, unique in the space",
          defaultText: "host, process, random part",
        },
        {
          flags: "--lease <duration>",
          text: "without a sign of life for so long, the node loses its partitions",
          defaultText: "3s",
          read: readDuration,
        },
        partitions,
        {
          flags: "--history-depth <count>",
          text: "how many states of an actor a new space keeps",
          defaultText: "16",
          read: readCount,
        },
        {
          flags: "--replicas <count>",
          text: "how many servers of a cluster keep the records of a new space",
          defaultText: "1",
          read: readCount,
        },
        {
          flags: "--activities",
          text: "only work on activities: those that the modules export, and those of the actors that they export",
        },
        { flags: "--no-activities", text: "only run the actors, and leave their activities to other nodes" },
        {
          flags: "--max-activities <count>",
          text: "how many attempts of activities run at once",
          defaultText: "100",
          read: readCount,
        },
        {
          flags: "--drain <duration>",
          text: "how long the node may take to end in order",
          defaultText: "15s",
          read: readDuration,
        },
        { flags: "--sync-always", text: "the server is known to flush every write: no warning about it" },
      ),
      log,
      connection,
    ],
  },
  {
    name: "dev",
    group: "Nodes:",
    args: "<module...>",
    summary: "Run a NATS server and a node that starts again when its modules change",
    description:
      "For development: everything is on this machine, and nothing has to be installed or started before. Changes are looked for in the folders of the modules.",
    examples: ["statewright dev ./actors.ts", "statewright dev ./src/actors.ts --watch ./shared --ephemeral"],
    options: [
      options(
        {
          flags: "-p, --port <port>",
          text: "port of the server; 0 is any free one",
          defaultText: "4222, or a free one",
          read: readPort,
        },
        { flags: "--store <folder>", text: "where the server keeps its data", default: ".statewright" },
        { flags: "--ephemeral", text: "keep the data in a temporary folder, and remove it at the end" },
        {
          flags: "-w, --watch <folder>",
          text: "one more folder whose changes count; can be repeated",
          isRepeatable: true,
        },
        space,
        partitions,
      ),
      log,
    ],
  },
  {
    name: "send",
    group: "Actors:",
    args: "<actor> [event]",
    summary: "Send an event, and print the receipt once it is durably stored",
    description: "<actor> is type/id. [event] is an event type, JSON, or - for JSON on standard input.",
    examples: [
      "statewright send counter/a ADD --data '{\"by\":2}'",
      "cat events.jsonl | statewright send counter/a --lines --key import-7 -o ids",
    ],
    options: [
      options(
        data,
        { flags: "--lines", text: "send one event for each line of standard input, each a JSON object" },
        key("with --lines, the number of the line is added to it"),
        timeout(10_000, false),
        ...sending,
        output("the messages"),
      ),
      connection,
    ],
  },
  {
    name: "ask",
    group: "Actors:",
    args: "<actor> <event>",
    summary: "Send an event, and print its outcome: the state after it, and the reply",
    description: "<actor> is type/id. <event> is an event type, JSON, or - for JSON on standard input.",
    examples: [
      "statewright ask counter/a INC",
      'statewright ask order/42 \'{"type":"PAY","amount":12}\' --key pay-42 -o json',
    ],
    options: [
      options(
        data,
        key("asked again with it, the outcome is that of the first time"),
        timeout(10_000, true),
        ...sending,
        output("the message"),
      ),
      connection,
    ],
  },
  {
    name: "create",
    group: "Actors:",
    args: "<actor> [input]",
    summary: "Make an actor, and print its state",
    description:
      "<actor> is type/id. [input] is JSON, or - for JSON on standard input. An actor that exists already is left as it is: exit code 5.",
    examples: ['statewright create order/42 \'{"customer":"Ada"}\'', "statewright create order/42 --if-missing"],
    options: [
      options(
        { flags: "--if-missing", text: "an actor that exists already is no error: its state is printed" },
        key("created again with it, the outcome is that of the first time"),
        timeout(10_000, true),
        ...sending,
        output("the actor"),
      ),
      connection,
    ],
  },
  {
    name: "show",
    group: "Actors:",
    args: "<actor...>",
    summary: "Print the newest committed state of actors",
    description:
      "Messages that are on their way are not in it; ask waits for its own. Exit code 4 when an actor does not exist.",
    examples: ["statewright show counter/a", "statewright show counter/a counter/b -o json | jq .context"],
    options: [options(output("the actors")), connection],
  },
  {
    name: "history",
    group: "Actors:",
    args: "<actor>",
    summary: "Print the newest messages that an actor has handled, oldest first",
    description: "It goes back as far as the space keeps states. Exit code 4 when the actor has handled nothing.",
    examples: ["statewright history counter/a", "statewright history counter/a --last 50 -o json"],
    options: [
      options(
        { flags: "-n, --last <count>", text: "how many", default: 10, defaultText: "10", read: readCount },
        output("the messages"),
      ),
      connection,
    ],
  },
  {
    name: "events",
    group: "Actors:",
    args: "<actor>",
    summary: "Print what an actor emits, as it is committed",
    description:
      "It goes on until it has printed --count events, or until SIGINT or SIGTERM ends it. The actor need not exist yet; a child is named with its parents, as in order/42/~payment.",
    examples: ["statewright events order/42", "statewright events order/42 --type PAID --from start --count 1 -o json"],
    options: [
      options(
        { flags: "--type <type>", text: "events of this type only" },
        {
          flags: "--from <place>",
          text: "new: what is committed from now on; start: also what is kept of before; the seq of an event: what came after it",
          default: "new",
          read: readPlace,
        },
        { flags: "-n, --count <count>", text: "end after so many events", read: readCount },
        output("the events"),
      ),
      connection,
    ],
  },
  {
    name: "types",
    group: "Actors:",
    args: "",
    summary: "Print the actor types that the nodes of a space have registered",
    examples: ["statewright types", "statewright types -o json"],
    options: [options(output("the types")), connection],
  },
  {
    name: "check",
    group: "Versions:",
    args: "<module...>",
    summary: "Replay histories against the code in modules, and say what differs",
    description:
      "For use before a deploy: from every kept state of an actor the messages of the next one are handled again, by the machines that the modules define, and the results are compared. Machines that use the time of day or chance differ by themselves. Nothing is written. Exit code 1 when an actor differs or fails.",
    examples: [
      "statewright check ./dist/actors.js",
      "statewright check ./order.ts --type order --id 42",
      "statewright check ./order.ts -o json | jq 'select(.actor)'",
    ],
    options: [
      options(
        { flags: "--type <type>", text: "actors of this type only" },
        { flags: "--id <id>", text: "this one actor; with --type where the modules define several types" },
        limit("how many actors that differ or fail are shown in full", 5),
        output("the actors that differ or fail"),
      ),
      connection,
    ],
  },
  {
    name: "migrate",
    group: "Versions:",
    args: "<module...>",
    summary: "Bring actors to the version of the machines in modules, all at once",
    description:
      "Without it, each actor is brought along with its next message. The nodes of the space must run that version already. With --dry-run they need not: the migrations are tried here, and nothing is written. Exit code 1 when one fails, or would.",
    examples: ["statewright migrate ./dist/actors.js --dry-run", "statewright migrate ./order.ts --type order"],
    options: [
      options(
        { flags: "--type <type>", text: "actors of this type only" },
        { flags: "--dry-run", text: "say what would become of the actors, and change nothing" },
        timeout(30_000, true),
        output("the actors that are migrated"),
      ),
      connection,
    ],
  },
  {
    name: "dlq ls",
    group: "Commands:",
    alias: "list",
    args: "",
    summary: "List dead letters, oldest first",
    examples: ["statewright dlq ls", "statewright dlq ls --type order --reason attempts -o json"],
    options: [
      letterFilters,
      options(
        limit("how many at most", 1000),
        { flags: "--closed", text: "also those that were redriven or dropped" },
        output("the letters"),
      ),
      connection,
    ],
  },
  {
    name: "dlq show",
    group: "Commands:",
    args: "<letter...>",
    summary: "Print letters in full: why, every attempt with its error, the event, the state before",
    description: "- reads letters from standard input, one a line.",
    examples: ["statewright dlq show i5", "statewright dlq ls --type order -o ids | statewright dlq show - -o json"],
    options: [options(output("the letters")), connection],
  },
  {
    name: "dlq redrive",
    group: "Commands:",
    args: "[letter...]",
    summary: "Put messages back into the mailboxes of their actors",
    description:
      "With --all, each actor's messages keep the order in which they came. - reads letters from standard input, one a line.",
    examples: ["statewright dlq redrive i5", "statewright dlq redrive --all --type order --dry-run"],
    options: [letterFilters, options(...change("redrive"), output("the letters")), connection],
  },
  {
    name: "dlq drop",
    group: "Commands:",
    args: "[letter...]",
    summary: "Close letters without their messages being applied",
    description:
      "Dropped letters stay readable for as long as the space keeps them. - reads letters from standard input, one a line.",
    examples: ['statewright dlq drop i5 --note "test data"', "statewright dlq drop --all --reason malformed"],
    options: [
      letterFilters,
      options(
        ...change("drop"),
        { flags: "--note <text>", text: "why, for those who look at the letter later" },
        output("the letters"),
      ),
      connection,
    ],
  },
  {
    name: "version",
    group: "Other:",
    args: "",
    summary: "Print the version",
    examples: ["statewright version", "statewright version -o ids"],
    options: [{ heading: "Options:", options: [output("the version alone")] }],
  },
];
