#!/usr/bin/env node
/** The command line. Each command is loaded when it is called: `--help` and `version` load none of the runtime. */
import { InvalidOptionsError } from "../runtime/core/errors.ts";
import type { CommandName } from "./command-table.ts";
import { type ExitCode, exitCodeOf, exitCodes } from "./exit-codes.ts";
import { type FailureStyle, tellFailure } from "./failure.ts";
import { parseAndPerform } from "./program.ts";
import { type Io, openTerminal } from "./terminal.ts";
import { startedAsWorker } from "./worker-channel.ts";

/** How a command takes what the program has parsed. Each command's own types say what its options are, as program.ts declares them. */
// biome-ignore lint/suspicious/noExplicitAny: the parser's output has no types
type Perform = (args: readonly any[], options: any, io: Io) => Promise<ExitCode>;

const commands: Readonly<Record<CommandName, () => Promise<Perform>>> = {
  run: async () => {
    const { run } = await import("./commands/run.ts");
    return ([modules], options, io) => run(modules, options, io);
  },
  dev: async () => {
    const { dev } = await import("./commands/dev.ts");
    return ([modules], options, io) => dev(modules, options, io);
  },
  send: async () => {
    const { send } = await import("./commands/send.ts");
    return ([actor, event], options, io) => send(actor, event, options, io);
  },
  ask: async () => {
    const { ask } = await import("./commands/ask.ts");
    return ([actor, event], options, io) => ask(actor, event, options, io);
  },
  create: async () => {
    const { create } = await import("./commands/ask.ts");
    return ([actor, input], options, io) => create(actor, input, options, io);
  },
  show: async () => {
    const { show } = await import("./commands/show.ts");
    return ([actors], options, io) => show(actors, options, io);
  },
  history: async () => {
    const { history } = await import("./commands/history.ts");
    return ([actor], options, io) => history(actor, options, io);
  },
  events: async () => {
    const { events } = await import("./commands/events.ts");
    return ([actor], options, io) => events(actor, options, io);
  },
  check: async () => {
    const { check } = await import("./commands/check.ts");
    return ([modules], options, io) => check(modules, options, io);
  },
  migrate: async () => {
    const { migrate } = await import("./commands/migrate.ts");
    return ([modules], options, io) => migrate(modules, options, io);
  },
  "dlq ls": async () => {
    const { listLetters } = await import("./commands/dead-letters.ts");
    return ([words], options, io) => listLetters(words, options, io);
  },
  "dlq follow": async () => {
    const { followLetters } = await import("./commands/follow-letters.ts");
    return ([words], options, io) => followLetters(words, options, io);
  },
  "dlq groups": async () => {
    const { listGroups } = await import("./commands/dead-letters.ts");
    return ([words], options, io) => listGroups(words, options, io);
  },
  "dlq show": async () => {
    const { showLetters } = await import("./commands/dead-letters.ts");
    return ([letters], options, io) => showLetters(letters, options, io);
  },
  "dlq edit": async () => {
    const { editLetter } = await import("./commands/letter-edits.ts");
    return ([letter, payload], options, io) => editLetter(letter, payload, options, io);
  },
  "dlq preview": async () => {
    const { previewLetter } = await import("./commands/letter-edits.ts");
    return ([letter], options, io) => previewLetter(letter, options, io);
  },
  "dlq redrive": async () => {
    const { redriveLetters } = await import("./commands/letter-changes.ts");
    return ([words], options, io) => redriveLetters(words, options, io);
  },
  "dlq drop": async () => {
    const { dropLetters } = await import("./commands/letter-changes.ts");
    return ([words], options, io) => dropLetters(words, options, io);
  },
  "dlq release": async () => {
    const { releaseActors } = await import("./commands/letter-changes.ts");
    return ([actors], options, io) => releaseActors(actors, options, io);
  },
  "dlq export": async () => {
    const { exportLetters } = await import("./commands/letter-files.ts");
    return ([words], options, io) => exportLetters(words, options, io);
  },
  "dlq import": async () => {
    const { importLetters } = await import("./commands/letter-files.ts");
    return ([file], options, io) => importLetters(file, options, io);
  },
  "workflow ls": async () => {
    const { listRuns } = await import("./commands/workflow-list.ts");
    return ([type], options, io) => listRuns(type, options, io);
  },
  "workflow show": async () => {
    const { showWorkflows } = await import("./commands/workflow-show.ts");
    return ([workflows], options, io) => showWorkflows(workflows, options, io);
  },
  "workflow start": async () => {
    const { startRun } = await import("./commands/workflow-calls.ts");
    return ([workflow], options, io) => startRun(workflow, options, io);
  },
  "workflow signal": async () => {
    const { signalRun } = await import("./commands/workflow-calls.ts");
    return ([workflow, event], options, io) => signalRun(workflow, event, options, io);
  },
  "workflow result": async () => {
    const { printResult } = await import("./commands/workflow-calls.ts");
    return ([workflow], options, io) => printResult(workflow, options, io);
  },
  "workflow cancel": async () => {
    const { endRuns } = await import("./commands/workflow-calls.ts");
    return ([workflows], options, io) => endRuns("cancel", workflows, options, io);
  },
  "workflow terminate": async () => {
    const { endRuns } = await import("./commands/workflow-calls.ts");
    return ([workflows], options, io) => endRuns("terminate", workflows, options, io);
  },
  "saga ls": async () => {
    const { listSagas } = await import("./commands/saga-list.ts");
    return ([type], options, io) => listSagas(type, options, io);
  },
  "saga plan": async () => {
    const { printPlans } = await import("./commands/saga-plan.ts");
    return ([module, name], options, io) => printPlans(module, name, options, io);
  },
  "saga retry": async () => {
    const { decide } = await import("./commands/saga-decisions.ts");
    return ([saga, step], options, io) => decide("retry", saga, step, options, io);
  },
  "saga done": async () => {
    const { decide } = await import("./commands/saga-decisions.ts");
    return ([saga, step], options, io) => decide("done", saga, step, options, io);
  },
  "saga skip": async () => {
    const { decide } = await import("./commands/saga-decisions.ts");
    return ([saga, step], options, io) => decide("skip", saga, step, options, io);
  },
  stats: async () => {
    const { stats } = await import("./commands/stats.ts");
    return (_, options, io) => stats(options, io);
  },
  probe: async () => {
    const { probe } = await import("./commands/probe.ts");
    return (_, options, io) => probe(options, io);
  },
  types: async () => {
    const { types } = await import("./commands/types.ts");
    return (_, options, io) => types(options, io);
  },
  version: async () => {
    const { version } = await import("./commands/version.ts");
    return (_, options, io) => version(options, io);
  },
};

/** How long what a command has left open may keep the process alive. */
const lingerMs = 500;

async function main(argv: readonly string[]): Promise<ExitCode> {
  const io: Io = {
    out: openTerminal(process.stdout, process.env),
    err: openTerminal(process.stderr, process.env),
    stdin: process.stdin,
    env: process.env,
    cwd: process.cwd(),
  };
  let code: ExitCode = exitCodes.ok;
  try {
    const end = await parseAndPerform(argv, io, async (call) => {
      const perform = await commands[call.name]();
      code = await perform(call.args, call.options, io);
    });
    if (end === undefined || end.isHelp) return code;
    if (end.help !== undefined && styleIn(argv).format !== "json") io.err.write(`${end.help}\n`);
    throw new InvalidOptionsError(`${end.message} See ${end.command} --help.`);
  } catch (error) {
    tellFailure(io.err, error, styleIn(argv));
    return exitCodeOf(error);
  }
}

/** Reads from the arguments themselves how failures are told: they may be what is wrong. */
function styleIn(argv: readonly string[]): FailureStyle {
  const end = argv.indexOf("--");
  const options = end < 0 ? argv : argv.slice(0, end);
  const isJson = options.some(
    (word, at) => /^(-o|--output=)json$/.test(word) || (/^(-o|--output)$/.test(word) && options[at + 1] === "json"),
  );
  return { format: isJson ? "json" : "table", isVerbose: options.includes("--verbose") || options.includes("-v") };
}

if (process.env[startedAsWorker] === "1") {
  // Its reader is the process that started it. When that is gone, the worker still ends in order.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
} else {
  // A reader that has read enough, such as `head`, is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(exitCodes.ok);
  });
}

process.exitCode = await main(process.argv.slice(2));
setTimeout(() => process.exit(), lingerMs).unref();
