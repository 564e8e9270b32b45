/** The commands and their options as data: what `program.ts` parses by, and what `--help` and docs/cli.md show. */
import type { DeadReason } from "../runtime/core/records.ts";
import type { WorkflowStatus } from "../workflows/workflow-status.ts";
import { logFormats, logLevels } from "./node-log.ts";
import {
  readCount,
  readDuration,
  readMoment,
  readPlace,
  readPort,
  readStatuses,
  readWatchdog,
  readWorkers,
} from "./option-values.ts";
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
  | "stats"
  | "probe"
  | "workflow ls"
  | "workflow show"
  | "workflow start"
  | "workflow signal"
  | "workflow result"
  | "workflow cancel"
  | "workflow terminate"
  | "saga ls"
  | "saga plan"
  | "saga retry"
  | "saga done"
  | "saga skip"
  | "dlq ls"
  | "dlq follow"
  | "dlq groups"
  | "dlq show"
  | "dlq edit"
  | "dlq preview"
  | "dlq redrive"
  | "dlq drop"
  | "dlq release"
  | "dlq export"
  | "dlq import"
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

/** What the statuses of workflows mean. */
export const statusMeanings: Readonly<Record<WorkflowStatus, string>> = {
  running: "it is under way",
  compensating: "it undoes what it has done",
  stuck: "it waits for an operator: see saga ls --stuck",
  completed: "it has come to its end; workflow result prints its output",
  compensated: "it has failed, and has undone what it had done",
  failed: "it has ended with an error",
  cancelled: "it was cancelled",
  "timed-out": "it took longer than it may",
  terminated: "an operator has ended it at once; nothing was undone",
};

/** Commands that have others below them. */
export const commandParents = {
  workflow: {
    heading: "Workflows:",
    summary: "List, start, look at, cancel and end workflows",
    description:
      "List, start, look at, cancel and end workflows. They are named as type/key, and none of the commands needs their modules",
  },
  saga: {
    heading: "Workflows:",
    summary: "List sagas, show their plans, and decide about steps that are stuck",
    description:
      "List sagas, show their plans, and decide about steps that are stuck: those that have failed for good where the saga cannot go round them",
  },
  dlq: {
    heading: "Dead letters:",
    summary: "Look at, repair, redrive and drop dead letters",
    description: "Look at, repair, redrive and drop dead letters: the messages that could not be applied",
  },
} as const;

/** The terms of which filters of letters are made. */
export const letterTerms: ReadonlyArray<readonly [string, string]> = [
  ["type:order", "for actors of this type; type:order,cart for either"],
  ["id:42", "for actors with this id"],
  ["letter:i5", "the letter itself"],
  ["reason:attempts", "that died for this reason"],
  ["fingerprint:…", "of this group: see dlq groups"],
  ["event:PAY", "of this event type, or of this kind, such as create"],
  ["state:paying", "that died in this state or below it, as in state:paying.card"],
  ["since:2h", "that died so long ago or later; also a date, as in since:2026-01-31"],
  ["until:30m", "that died before"],
  ["redrives:2", 'that were redriven so often; in quotes for the shell also "redrives:>2", ">=", "<"'],
  ["status:dropped", "that were closed in this way; status:any for all"],
  ["declined", "with this text in the explanation or the newest error"],
];

/** The variables of the environment that the commands read. */
export const variables: ReadonlyArray<readonly [string, string]> = [
  ["STATEWRIGHT_NATS", "as --nats"],
  ["STATEWRIGHT_SPACE", "as --space"],
  ["STATEWRIGHT_CREDS", "as --creds"],
  ["STATEWRIGHT_USER", "as --user"],
  ["STATEWRIGHT_PASSWORD", "the password of --user; arguments can be seen by everyone on the machine"],
  ["STATEWRIGHT_TOKEN", "a token, for servers that ask for one"],
  ["STATEWRIGHT_NATS_SERVER", "the nats-server that dev starts"],
  ["EDITOR", "the editor of dlq edit --editor; VISUAL goes before it"],
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
    { flags: "--id <id>", text: "for actors with this id" },
    { flags: "--reason <reason>", text: "that died for this reason", choices: Object.keys(deadReasons) },
    { flags: "--group <fingerprint>", text: "of this group, as dlq groups names it" },
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

const note: OptionEntry = { flags: "--note <text>", text: "why, for those who look at the letter later" };

function change(verb: string): readonly OptionEntry[] {
  return [
    { flags: "--all", text: `${verb} all that match; the words are a filter then` },
    limit("with --all: how many at most, oldest first"),
    { flags: "--dry-run", text: "print the letters that are meant, and change nothing" },
    note,
  ];
}

const otherActor: OptionEntry = { flags: "--to <actor>", text: "the actor that gets the message instead, as type/id" };
/** Reads a number of things that may be none. */
function readAmount(text: string): number {
  return readCount(text, 0);
}

function most(flag: string, what: string, read: OptionEntry["read"] = readAmount): OptionEntry {
  return {
    flags: `--${flag}-max <${read === readAmount ? "count" : "duration"}>`,
    text: what,
    ...(read === undefined ? {} : { read }),
  };
}

const wait: OptionEntry = {
  flags: "--wait <duration>",
  text: "how long nodes have to answer",
  defaultText: "500ms",
  read: readDuration,
};

const data: OptionEntry = {
  flags: "-d, --data <json>",
  text: "what the event carries, as a JSON object; - reads standard input",
};

const sender: OptionEntry = {
  flags: "--sender <name>",
  text: "name of the sender, which permissions can pin",
  defaultText: "cli",
};

const sending: readonly OptionEntry[] = [
  sender,
  { flags: "--allow-unknown", text: "send to an actor type that no node has registered yet" },
];

const statuses: OptionEntry = {
  flags: "--status <statuses>",
  text: "in these statuses only, with commas between; workflow --help explains them",
  read: readStatuses,
};

const reason: OptionEntry = { flags: "--reason <text>", text: "why, for those who look at the workflow later" };

/** The options of what an operator decides about a step. */
function decision(...more: readonly OptionEntry[]): readonly OptionGroup[] {
  return [
    options(
      ...more,
      { flags: "--note <text>", text: "why, for those who look at the saga later" },
      { flags: "--by <name>", text: "who decides", defaultText: "USER, else cli" },
      timeout(10_000, true),
      sender,
      output("the saga"),
    ),
    connection,
  ];
}

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
      "statewright run ./dist/actors.js --workers auto --name shop",
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
          defaultText: "2.5s",
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
        {
          flags: "--workers <count>",
          text: 'so many processes, each a node named <name>-1 and so on; "auto": one for each core. One that ends is started again',
          read: readWorkers,
        },
        {
          flags: "--max-crashes <count>",
          text: "a message that has ended so many processes is a dead letter, when it does so alone",
          defaultText: "3",
          read: readCount,
        },
        {
          flags: "--watchdog <duration>",
          text: 'end the process when its event loop stands still for so long, or "off"',
          defaultText: "10s",
          read: readWatchdog,
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
    name: "workflow ls",
    group: "Look at them:",
    alias: "list",
    args: "[type]",
    summary: "List workflows, those that were started last first",
    description: "Without a type, those of all types that the nodes of the space have registered.",
    examples: [
      "statewright workflow ls",
      "statewright workflow ls order --status running,stuck --since 2h",
      "statewright workflow ls order --status failed --since 2026-01-31 -o ids",
    ],
    options: [
      options(
        statuses,
        { flags: "--since <when>", text: 'started so long ago or later; also a date: "2026-01-31"', read: readMoment },
        { flags: "--until <when>", text: "started before", read: readMoment },
        limit("how many at most", 100),
        output("the workflows"),
      ),
      connection,
    ],
  },
  {
    name: "workflow show",
    group: "Look at them:",
    args: "<workflow...>",
    summary: "Print workflows in full: state, run, steps of a saga, what it waits for, history, dead letters",
    description: "<workflow> is type/key. Exit code 4 when it was never started.",
    examples: ["statewright workflow show order/42", "statewright workflow show order/42 --last 30 -o json"],
    options: [
      options(
        {
          flags: "-n, --last <count>",
          text: "how many of the newest messages",
          default: 5,
          defaultText: "5",
          read: readCount,
        },
        output("the workflows"),
      ),
      connection,
    ],
  },
  {
    name: "workflow result",
    group: "Look at them:",
    args: "<workflow>",
    summary: "Wait for the end of a workflow, and print its output as JSON",
    description:
      "<workflow> is type/key. It waits as long as it takes, unless --timeout says how long. Exit code 1 when the workflow has failed, was cancelled or terminated, or took too long: the error is on standard error.",
    examples: [
      "statewright workflow result order/42",
      "statewright workflow result order/42 --timeout 30s | jq .total",
    ],
    options: [
      options(
        {
          flags: "-t, --timeout <duration>",
          text: "how long to wait, such as 500ms, 5s or 2m",
          defaultText: "as long as it takes",
          read: readDuration,
        },
        {
          flags: "-o, --output <format>",
          text: "json is the output on one line",
          choices: ["table", "json"],
          default: "table",
        },
      ),
      connection,
    ],
  },
  {
    name: "workflow start",
    group: "Change them:",
    args: "<type>",
    summary: "Start a workflow under a key, or find the one that was started with the same input",
    description:
      "The key is what the workflow's own definition would make of the input. type/key stands for type and --key. Exit code 5 when it was started with another input.",
    examples: [
      'statewright workflow start order --key 42 --input \'{"customer":"Ada"}\'',
      "statewright workflow start order/42 --input @order.json",
      "jq .order all.json | statewright workflow start order --key 42 --input -",
    ],
    options: [
      options(
        { flags: "-k, --key <key>", text: "business key: one workflow for each" },
        {
          flags: "-i, --input <json>",
          text: "what it is started with: JSON, @file for what is in a file, or - for standard input",
        },
        timeout(10_000, true),
        ...sending,
        output("the workflow"),
      ),
      connection,
    ],
  },
  {
    name: "workflow signal",
    group: "Change them:",
    args: "<workflow> <event>",
    summary: "Send a workflow an event, and print the receipt once it is durably stored",
    description:
      "<workflow> is type/key. <event> is an event type, JSON, or - for JSON on standard input. Exit code 4 when the workflow was never started.",
    examples: [
      "statewright workflow signal order/42 APPROVED",
      'statewright workflow signal order/42 APPROVED --data \'{"by":"Ada"}\' --key approval-7',
    ],
    options: [
      options(data, key("sent again with it, nothing happens"), timeout(10_000, false), sender, output("the messages")),
      connection,
    ],
  },
  {
    name: "workflow cancel",
    group: "Change them:",
    args: "<workflow...>",
    summary: "Tell workflows to come to their end, undoing what they have done if they know how",
    description:
      "<workflow> is type/key; - reads them from standard input, one a line. Exit code 1 when one has ended before, or refuses: a saga does past its pivot.",
    examples: [
      'statewright workflow cancel order/42 --reason "the customer called"',
      "statewright workflow ls order --status running -o ids | statewright workflow cancel -",
    ],
    options: [options(reason, timeout(10_000, true), sender, output("the workflows")), connection],
  },
  {
    name: "workflow terminate",
    group: "Change them:",
    args: "<workflow...>",
    summary: "End workflows at once; nothing is undone",
    description:
      "<workflow> is type/key; - reads them from standard input, one a line. Cancel is what lets a workflow undo what it has done. Exit code 1 when one has ended before.",
    examples: ['statewright workflow terminate order/42 --reason "undone by hand"'],
    options: [options(reason, timeout(10_000, true), sender, output("the workflows")), connection],
  },
  {
    name: "saga ls",
    group: "Look at them:",
    alias: "list",
    args: "[type]",
    summary: "List sagas, those that were started last first; with --stuck the steps that wait for an operator",
    description:
      "A step is stuck when undoing it has failed for good, or doing it past the pivot. saga retry, done and skip decide what becomes of it. With --stuck, ids are saga and step, as those commands take them.",
    examples: ["statewright saga ls order --status compensating", "statewright saga ls --stuck"],
    options: [
      options(
        { flags: "--stuck", text: "the steps that are stuck, oldest first, with their errors and dead letters" },
        statuses,
        limit("how many at most", 100),
        output("the sagas"),
      ),
      connection,
    ],
  },
  {
    name: "saga plan",
    group: "Look at them:",
    args: "<module> [name]",
    summary: "Print what a saga does, and what is undone when a step fails",
    description: "The module is read here: no server is needed. [name] is the saga, where the module defines several.",
    examples: ["statewright saga plan ./order.ts", "statewright saga plan ./dist/actors.js order"],
    options: [options(output("the sagas"))],
  },
  {
    name: "saga retry",
    group: "Decide about a step:",
    args: "<saga> <step>",
    summary: "Try a step that is stuck again, with all its attempts",
    description:
      "<saga> is type/key. For when what made it fail is repaired. Its dead letter is closed. Exit code 1 when the step is not stuck.",
    examples: ['statewright saga retry order/42 refund --note "the bank is back"'],
    options: decision(),
  },
  {
    name: "saga done",
    group: "Decide about a step:",
    args: "<saga> <step>",
    summary: "Take a step that is stuck for done: somebody has done it, or undone it, by hand",
    description: "<saga> is type/key. Its dead letter is closed. Exit code 1 when the step is not stuck.",
    examples: [
      'statewright saga done order/42 refund --note "refunded by hand"',
      'statewright saga done order/42 ship --result \'{"parcel":"P7"}\'',
    ],
    options: decision({
      flags: "--result <json>",
      text: "what the step came to: JSON, @file for what is in a file, or - for standard input",
    }),
  },
  {
    name: "saga skip",
    group: "Decide about a step:",
    args: "<saga> <step>",
    summary: "Let a saga go on without a step that is stuck",
    description:
      "<saga> is type/key. An undo that is skipped leaves what was done as it is. A pivot that is skipped is taken for not done: the rest is undone. Its dead letter is closed. Exit code 1 when the step is not stuck.",
    examples: ['statewright saga skip order/42 notify --note "not worth a second mail"'],
    options: decision(),
  },
  {
    name: "check",
    group: "Versions:",
    args: "<module...>",
    summary: "Check the sagas in modules, replay histories against the code, and say what differs",
    description:
      "For use before a deploy: first what the modules say of their sagas themselves, such as steps that could not be undone. Then from every kept state of an actor the messages of the next one are handled again, by the machines that the modules define, and the results are compared. Machines that use the time of day or chance differ by themselves. Nothing is written. Exit code 1 when a saga has problems, or an actor differs or fails.",
    examples: [
      "statewright check ./dist/actors.js",
      "statewright check ./order.ts --type order --id 42",
      "statewright check ./order.ts --static",
      "statewright check ./order.ts -o json | jq 'select(.actor)'",
    ],
    options: [
      options(
        { flags: "--type <type>", text: "actors of this type only" },
        { flags: "--id <id>", text: "this one actor; with --type where the modules define several types" },
        {
          flags: "--static",
          text: "only what the modules say themselves: nothing is replayed, and no server is needed",
        },
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
    name: "stats",
    group: "Monitoring:",
    args: "",
    summary: "Print how a space is doing: nodes, mailboxes, dead letters, timers, latencies",
    description:
      "What all nodes say is put together with what the log says, so it works without a node too. Counters and latencies are of the nodes that answer, since they started. json is one document with all numbers; durations in milliseconds.",
    examples: ["statewright stats", "statewright stats --watch 5s -o json | jq .mailboxes.depth"],
    options: [
      options(
        { flags: "-w, --watch <duration>", text: "again and again, so long after each", read: readDuration },
        { flags: "-n, --count <count>", text: "with --watch: end after so many", read: readCount },
        wait,
        output("the nodes that are alive"),
      ),
      connection,
    ],
  },
  {
    name: "probe",
    group: "Monitoring:",
    args: "",
    summary: "Check that a space is within limits: exit code 0 when it is, 1 when not, 6 when that cannot be told",
    description:
      "Each limit that is given is a check, and a line: what, measured, limit, and ok, failed or unknown. Ages are by the clocks of this machine and the server. Where the owner of a partition does not answer, its depth and lag are from the log, where they may be a second old, and what only an owner knows is unknown.",
    examples: [
      "statewright probe --nodes-min 2 --dlq-max 0 --lag-max 30s",
      "statewright probe --depth-max 10000 --parked-max 0 --timer-lateness-max 10s -o json",
    ],
    options: [
      {
        heading: "Limits:",
        options: [
          {
            flags: "--nodes-min <count>",
            text: "nodes that are alive, at least",
            default: 1,
            defaultText: "1",
            read: readAmount,
          },
          most("dlq", "dead letters that nobody has closed"),
          most("lag", "age of the oldest message in a mailbox that is not handled", readDuration),
          most("depth", "messages in mailboxes that are not handled"),
          most("waiting", "messages that wait outside the mailboxes, for another attempt or a parked actor"),
          most("parked", "actors that take no messages"),
          most("timer-lateness", "how long a timer has been overdue", readDuration),
          most("tasks", "tasks that wait for a worker, of one activity"),
        ],
      },
      options(wait, output("the checks that do not hold")),
      connection,
    ],
  },
  {
    name: "dlq ls",
    group: "Look at them:",
    alias: "list",
    args: "[filter...]",
    summary: "List dead letters, oldest first",
    description:
      '[filter] says which, as in type:order since:2h -event:PAY "card declined"; dlq --help explains its terms.',
    examples: [
      "statewright dlq ls",
      "statewright dlq ls type:order reason:attempts -o json",
      'statewright dlq ls since:2h -event:PAY "card declined"',
    ],
    options: [
      letterFilters,
      options(
        limit("how many at most", 1000),
        { flags: "--order <order>", text: "which come first", choices: ["oldest", "newest"], default: "oldest" },
        { flags: "--closed", text: "also those that were redriven, dropped or have expired" },
        output("the letters"),
      ),
      connection,
    ],
  },
  {
    name: "dlq follow",
    group: "Look at them:",
    args: "[filter...]",
    summary: "Print dead letters as their messages die",
    description:
      "It goes on until it has printed --count letters, or until SIGINT or SIGTERM ends it. [filter] says which, as for dlq ls.",
    examples: ["statewright dlq follow", "statewright dlq follow type:order --from start -o json"],
    options: [
      letterFilters,
      options(
        {
          flags: "--from <place>",
          text: "new: what dies from now on; start: also what is kept of before; a seq: what came after it",
          default: "new",
          read: readPlace,
        },
        { flags: "-n, --count <count>", text: "end after so many letters", read: readCount },
        output("the letters"),
      ),
      connection,
    ],
  },
  {
    name: "dlq groups",
    group: "Look at them:",
    args: "[filter...]",
    summary: "Group dead letters by what they died of, the largest group first",
    description:
      "Letters of one group died of the same error, with the same event in the same state of the same actor type; numbers and ids in messages do not count.",
    examples: ["statewright dlq groups", "statewright dlq groups type:order since:1d"],
    options: [letterFilters, options(output("the groups")), connection],
  },
  {
    name: "dlq show",
    group: "Look at them:",
    args: "<letter...>",
    summary:
      "Print letters in full: why, every attempt with its error, the event, the state before, what was done with them",
    description: "- reads letters from standard input, one a line.",
    examples: [
      "statewright dlq show i5 --stack",
      "statewright dlq ls type:order -o ids | statewright dlq show - -o json",
    ],
    options: [
      options(
        { flags: "--stack", text: "with the stacks of the errors, which -o json always has" },
        output("the letters"),
      ),
      connection,
    ],
  },
  {
    name: "dlq preview",
    group: "Look at them:",
    args: "<letter>",
    summary: "Print what redriving a letter would come to now, without doing it",
    description:
      "The node that owns the actor decides the message on the actor's present state, and keeps nothing of it. Exit code 1 when the message would fail again.",
    examples: ["statewright dlq preview i5", "statewright dlq preview i5 --payload '{\"amount\":12}'"],
    options: [
      options(
        { flags: "--payload <json>", text: "what the message would carry instead; - reads standard input" },
        otherActor,
        { flags: "--force", text: "also for a message that ended processes: the node may end" },
        timeout(10_000, true),
        output("the actor"),
      ),
      connection,
    ],
  },
  {
    name: "dlq edit",
    group: "Change them:",
    args: "<letter> [json]",
    summary: "Replace what a letter's message carries; what it carried first is kept",
    description:
      "[json] is what the event carries, with or without its type, or the input of a create; - reads standard input. It is checked by the node that owns the actor.",
    examples: [
      'statewright dlq edit i5 \'{"amount":12}\' --note "amount was missing"',
      "statewright dlq edit i5 --editor",
    ],
    options: [
      options(
        { flags: "--editor", text: "edit it with EDITOR" },
        { flags: "--no-check", text: "take it as it is, also while no node is there to check it" },
        note,
        timeout(10_000, true),
        output("the letter"),
      ),
      connection,
    ],
  },
  {
    name: "dlq redrive",
    group: "Change them:",
    args: "[letter-or-filter...]",
    summary: "Put messages back into the mailboxes of their actors",
    description:
      "Letters are named, or with --all a filter says which. Each actor's messages keep the order in which they came. When it is interrupted, the same call goes on with the rest. - reads letters from standard input, one a line.",
    examples: [
      "statewright dlq redrive i5",
      "statewright dlq redrive --all type:order since:2h --dry-run",
      "statewright dlq redrive --group 3f2a91c07be4 --rate 100",
      "statewright dlq redrive i5 --to order/43",
    ],
    options: [
      letterFilters,
      options(
        ...change("redrive"),
        { flags: "--rate <count>", text: "with --all: letters per second at most", read: readCount },
        otherActor,
        {
          flags: "--max-redrives <count>",
          text: "with --all: letters that have been redriven so often are refused",
          defaultText: "10",
          read: readCount,
        },
        output("the letters"),
      ),
      connection,
    ],
  },
  {
    name: "dlq drop",
    group: "Change them:",
    args: "[letter-or-filter...]",
    summary: "Close letters without their messages being applied",
    description:
      "Letters are named, or with --all a filter says which. Dropped letters stay readable for as long as the space keeps them. - reads letters from standard input, one a line.",
    examples: ['statewright dlq drop i5 --note "test data"', "statewright dlq drop --all reason:malformed"],
    options: [letterFilters, options(...change("drop"), output("the letters")), connection],
  },
  {
    name: "dlq release",
    group: "Change them:",
    args: "<actor...>",
    summary: "Let actors take messages again that are parked by a letter, which stays dead",
    examples: ['statewright dlq release order/42 --note "the refund was booked by hand"'],
    options: [options(note, output("the actors")), connection],
  },
  {
    name: "dlq export",
    group: "Files:",
    args: "[filter...]",
    summary: "Write dead letters to standard output, one JSON document a line, with everything that is stored of them",
    examples: ["statewright dlq export > letters.jsonl", "statewright dlq export status:any until:30d > old.jsonl"],
    options: [letterFilters, { heading: "Options:", options: [verbose] }, connection],
  },
  {
    name: "dlq import",
    group: "Files:",
    args: "<file>",
    summary: "Store exported letters that are not there; importing them again adds nothing",
    description:
      "- reads standard input. Letters of another space get ids of their own. Exit code 1 when lines were refused.",
    examples: [
      "statewright dlq import letters.jsonl",
      "statewright dlq export --space a | statewright dlq import - --space b",
    ],
    options: [
      options({
        flags: "-o, --output <format>",
        text: "json is the numbers, and the lines that were refused, as one document",
        choices: ["table", "json"],
        default: "table",
      }),
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
