/**
 * Parses arguments by the table of commands. The only file that knows the library that does it.
 *
 * Nothing is done here: what was asked for is handed to `perform`, which loads the command.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import {
  type CommandEntry,
  type CommandName,
  commandParents,
  commandTable,
  deadReasons,
  letterTerms,
  type OptionEntry,
  statusMeanings,
  variables,
} from "./command-table.ts";
import { exitCodeMeanings } from "./exit-codes.ts";
import type { Io } from "./terminal.ts";

/** A command that was asked for: its arguments and options, read as the table says. */
export interface Call {
  readonly name: CommandName;
  readonly args: ReadonlyArray<string | readonly string[] | undefined>;
  readonly options: Readonly<Record<string, unknown>>;
}

/** How the reading of arguments ended, when it did not end in a call. */
export interface ParseEnd {
  /** True when help was asked for, and was printed. */
  readonly isHelp: boolean;
  /** One or two sentences. */
  readonly message: string;
  /** The words of the command whose help fits. */
  readonly command: string;
  /** Help to show beside the message, for who has not said anything yet. */
  readonly help: string | undefined;
}

/** Reads the arguments and performs the command. Returns why it did not, when it did not; what `perform` throws goes through. */
export async function parseAndPerform(
  argv: readonly string[],
  io: Pick<Io, "out" | "err">,
  perform: (call: Call) => Promise<void>,
): Promise<ParseEnd | undefined> {
  const program = createProgram(io, perform);
  try {
    await program.parseAsync(expanded(argv), { from: "user" });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const command = commandIn(program, argv);
    const isBare = error.code === "commander.help";
    return {
      isHelp: error.exitCode === 0,
      message: isBare ? "Name a command." : readable(error.message),
      command: pathOf(command),
      help: isBare ? command.helpInformation() : undefined,
    };
  }
}

/** Writes the short forms out: the version as a command, help as an option of what is asked about, and what a filter leaves out. */
function expanded([first, ...rest]: readonly string[]): string[] {
  if (first === undefined) return [];
  if (first === "-V" || first === "--version") return ["version", ...rest];
  // What a filter leaves out is written with a hyphen, and would be taken for an option.
  if (first === "dlq") return [first, ...rest.map((word) => word.replace(/^-(?=[a-z]{2,}:)/, "!"))];
  return first === "help" ? [...rest, "--help"] : [first, ...rest];
}

/** Makes the program. */
export function createProgram(io: Pick<Io, "out" | "err">, perform: (call: Call) => Promise<void>): Command {
  const program = new Command("statewright")
    .description(
      "Durable XState actors on NATS JetStream: run nodes, talk to actors, look after workflows and dead letters.",
    )
    .usage("<command> [options]")
    .helpOption("-h, --help", "show help")
    .option("-V, --version", "print the version")
    .configureHelp({ subcommandTerm: termOf })
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      // Told by the caller, in the format that was asked for.
      writeErr: () => {},
      getOutHelpWidth: () => Math.min(io.out.width ?? 100, 120),
      getErrHelpWidth: () => 100,
      getOutHasColors: () => io.out.hasColour,
      getErrHasColors: () => false,
    })
    .exitOverride()
    .addHelpText("after", () =>
      [section("Exit codes:", Object.entries(exitCodeMeanings)), section("Variables:", variables)].join("\n"),
    );
  const parents = new Map<string, Command>();
  for (const entry of commandTable) {
    const [first = "", second] = entry.name.split(" ");
    const parent = second === undefined ? program : (parents.get(first) ?? addParent(program, first));
    if (second !== undefined) parents.set(first, parent);
    add(parent, entry, perform);
  }
  return program.helpCommand("help [command]", "Show the help of a command");
}

/** Adds a command that has others below it. */
function addParent(program: Command, name: string): Command {
  const { heading, summary, description } = commandParents[name as keyof typeof commandParents];
  program.commandsGroup(heading);
  const parent = program
    .command(name)
    .summary(summary)
    .description(`${description}.`)
    .usage("<command> [options]")
    .helpOption("-h, --help", "show help")
    .helpCommand(false);
  if (name === "dlq") {
    parent.addHelpText("after", () =>
      [
        section("Reasons:", Object.entries(deadReasons)),
        section("Filters:", letterTerms),
        "\nTerms with spaces between must all hold; -term and !term leave out. Double quotes hold a value together.",
      ].join("\n"),
    );
  }
  if (name === "workflow") parent.addHelpText("after", () => section("Statuses:", Object.entries(statusMeanings)));
  return parent;
}

function add(parent: Command, entry: CommandEntry, perform: (call: Call) => Promise<void>): void {
  const { name, alias, args, summary, description, examples, options } = entry;
  parent.commandsGroup(entry.group);
  const command = parent
    .command(`${name.split(" ").at(-1)} ${args}`.trim())
    .summary(summary)
    .description(description === undefined ? `${summary}.` : `${summary}.\n\n${description}`)
    .addHelpText("after", `\nExamples:\n${examples.map((example) => `  ${example}`).join("\n")}`);
  if (alias !== undefined) command.alias(alias);
  for (const group of options) {
    command.optionsGroup(group.heading);
    for (const option of group.options) command.addOption(makeOption(option));
  }
  command.optionsGroup("Options:").helpOption("-h, --help", "show help");
  command.action(async (...given: unknown[]) => {
    // The library calls with the arguments, the options, and the command itself.
    await perform({ name, args: given.slice(0, -2) as Call["args"], options: command.opts() });
  });
}

function makeOption(entry: OptionEntry): Option {
  const { flags, variable, choices, read, isRepeatable } = entry;
  const isOurs = entry.default !== undefined;
  const unpassed = !isOurs && entry.defaultText !== undefined ? ` (default: ${entry.defaultText})` : "";
  const option = new Option(flags, entry.text + unpassed);
  if (isOurs) option.default(entry.default, entry.defaultText);
  if (variable !== undefined) option.env(variable);
  if (choices !== undefined) option.choices(choices);
  if (read !== undefined) option.argParser(parser(read));
  if (isRepeatable === true) option.argParser((value, before: string[] = []) => [...before, value]);
  return option;
}

function parser<T>(read: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return read(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
}

/** Names a command with its arguments, as lists of commands do. */
function termOf(command: Command): string {
  const args = command.registeredArguments.map((argument) => {
    const shown = `${argument.name()}${argument.variadic ? "..." : ""}`;
    return argument.required ? `<${shown}>` : `[${shown}]`;
  });
  const isParent = command.commands.length > 0;
  return [command.name(), ...(isParent ? ["<command>"] : args)].join(" ");
}

function section(heading: string, lines: ReadonlyArray<readonly [string, string]>): string {
  const width = Math.max(...lines.map(([name]) => name.length));
  return `\n${heading}\n${lines.map(([name, meaning]) => `  ${name.padEnd(width)}  ${meaning}`).join("\n")}`;
}

function readable(message: string): string {
  const [problem = "", ...hints] = message.replace(/^error: /, "").split("\n");
  const sentence = `${problem.charAt(0).toUpperCase()}${problem.slice(1)}`.replace(/\.$/, "");
  const hint = hints.join(" ").replace(/^\((.*)\)$/, "$1");
  const ended = sentence.endsWith("?") ? sentence : `${sentence}.`;
  return hint === "" ? ended : `${ended} ${hint}`;
}

/** Finds the command that the arguments were meant for. */
function commandIn(program: Command, argv: readonly string[]): Command {
  let command = program;
  for (const word of argv) {
    if (word.startsWith("-")) continue;
    const next = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (next === undefined) break;
    command = next;
  }
  return command;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
