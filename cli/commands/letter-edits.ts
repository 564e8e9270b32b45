/** `statewright dlq edit` and `dlq preview`: what a letter's message carries is replaced, and what it would do is looked at. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Preview } from "../../actors/client/previews.ts";
import { fromStored, toStored } from "../../runtime/core/codec.ts";
import { InvalidOptionsError } from "../../runtime/core/errors.ts";
import type { PreviewedWork } from "../../runtime/core/queries.ts";
import type { ConnectionFlags } from "../connection-flags.ts";
import { parseJson, readAll } from "../event-argument.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { withClient } from "../open-client.ts";
import { type Field, type FullKind, fitJson, type OutputFormat, printItem } from "../printer.ts";
import { shownJson, shownJsonLines, shownState, shownTime } from "../shown-values.ts";
import type { Io } from "../terminal.ts";

/** Options of {@link editLetter}. */
export interface EditFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  readonly editor?: boolean;
  readonly note?: string;
  /** False with `--no-check`. */
  readonly check?: boolean;
  readonly timeout: number;
}

interface Edited {
  readonly letter: string;
  readonly edited: boolean;
}

const editedKind: FullKind<Edited> = {
  id: ({ letter }) => letter,
  json: (edited) => edited,
  fields: ({ letter, edited }) => [
    { label: "letter", text: letter, style: "bold" },
    { label: "result", text: edited ? "edited; redrive it to have it applied" : "it carries this already" },
  ],
};

/** Replaces what the message of a letter carries: by JSON, or as an editor leaves it. */
export async function editLetter(
  letter: string,
  text: string | undefined,
  flags: EditFlags,
  io: Io,
): Promise<ExitCode> {
  const isEditor = flags.editor === true;
  if (isEditor === (text !== undefined)) {
    const problem = isEditor
      ? "give JSON, or --editor, but not both"
      : "give what it is to carry as JSON, or use --editor";
    throw new InvalidOptionsError(`Cannot edit dead letter ${JSON.stringify(letter)}: ${problem}.`);
  }
  const given =
    text === undefined ? undefined : readPayload(text === "-" ? await readAll(io.stdin) : text, "the payload");
  return withClient(flags, io, async (client) => {
    const { deadLetters } = client;
    let payload = given;
    if (isEditor) {
      const { payload: before } = await deadLetters.get(letter);
      const written = JSON.stringify(toStored(before ?? {}, "payload"), undefined, 2);
      payload = readPayload(await throughEditor(`${written}\n`, letter, io), "what the editor has left");
    }
    const result = await deadLetters.edit(letter, payload, {
      timeout: flags.timeout,
      ...(flags.note === undefined ? {} : { note: flags.note }),
      ...(flags.check === false ? { check: false } : {}),
    });
    printItem(io.out, flags.output, editedKind, result);
    return exitCodes.ok;
  });
}

/** Reads a payload: plain JSON, in which values that JSON does not have are marked as they are in the log. */
function readPayload(text: string, place: string): unknown {
  const parsed = parseJson(text, place);
  try {
    return fromStored(parsed);
  } catch (cause) {
    throw new InvalidOptionsError(`Cannot read ${place}: ${(cause as Error).message}`, { cause });
  }
}

/** Opens a text in the user's editor; resolves with what it is when the editor has ended. */
async function throughEditor(text: string, letter: string, io: Io): Promise<string> {
  const editor = io.env.VISUAL || io.env.EDITOR;
  const attempted = `Cannot edit dead letter ${JSON.stringify(letter)}`;
  if (editor === undefined) {
    throw new InvalidOptionsError(`${attempted}: there is no editor. Set EDITOR, or give JSON as an argument.`);
  }
  const folder = await mkdtemp(join(tmpdir(), "statewright-"));
  const file = join(folder, "payload.json");
  try {
    await writeFile(file, text, { mode: 0o600 });
    // By the shell: EDITOR may hold options, too. The file's name has nothing in it that the shell obeys.
    const child = spawn(`${editor} "${file}"`, { shell: true, stdio: "inherit" });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
    if (code !== 0) {
      throw new InvalidOptionsError(
        `${attempted}: the editor "${editor}" ended with code ${code}. Nothing was changed.`,
      );
    }
    return await readFile(file, "utf8");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Options of {@link previewLetter}. */
export interface PreviewFlags extends ConnectionFlags {
  readonly output: OutputFormat;
  readonly payload?: string;
  readonly to?: string;
  readonly force?: boolean;
  readonly timeout: number;
}

/** Prints what redriving a letter would come to now. */
export async function previewLetter(letter: string, flags: PreviewFlags, io: Io): Promise<ExitCode> {
  const { payload } = flags;
  const given =
    payload === undefined
      ? {}
      : { payload: readPayload(payload === "-" ? await readAll(io.stdin) : payload, "--payload") };
  return withClient(flags, io, async (client) => {
    const preview = await client.deadLetters.preview(letter, {
      ...given,
      timeout: flags.timeout,
      ...(flags.to === undefined ? {} : { to: flags.to }),
      ...(flags.force === true ? { force: true } : {}),
    });
    printItem(io.out, flags.output, previewKind, preview);
    return preview.failed === undefined ? exitCodes.ok : exitCodes.failed;
  });
}

/** What a message would do. */
const previewKind: FullKind<Preview> = {
  id: ({ to }) => `${to.type}/${to.id}`,
  json: ({ to, at, before, after, ...preview }) => ({
    ...preview,
    to: `${to.type}/${to.id}`,
    at: shownTime(at),
    before: stateJson(before),
    after: stateJson(after),
  }),
  fields: (preview, width) => {
    const { to, version, outcome, before, after, changes, work, reply, failed, parkedBy, cut } = preview;
    return [
      { label: "actor", text: `${to.type}/${to.id}`, style: "bold" },
      { label: "version", text: version },
      ...(parkedBy === undefined
        ? []
        : [{ label: "parked", text: `by letter ${parkedBy}: the message would wait`, style: "yellow" as const }]),
      failed === undefined
        ? { label: "outcome", text: outcome ?? "-", style: outcome === "dead" ? ("red" as const) : ("green" as const) }
        : { label: "outcome", text: failureLines(failed), style: "red" as const },
      { label: "state before", text: before === undefined ? "none" : shownState(before.value) },
      ...(failed === undefined
        ? [{ label: "state after", text: after === undefined ? "none" : shownState(after.value) }]
        : []),
      ...(changes.length === 0 ? [] : [{ label: "changes", text: changes.map(changeLine) }]),
      ...(work.length === 0 ? [] : [{ label: "would do", text: work.map(workLine) }]),
      ...(reply === undefined ? [] : [{ label: "reply", text: fitJson(reply, shownJsonLines, width) }]),
      ...(cut.length === 0 ? [] : [{ label: "left out", text: `${cut.join(", ")}: too large for an answer` }]),
      { label: "note", text: "nothing of it was done", style: "dim" as const },
    ] satisfies Field[];
  },
};

function stateJson(view: Preview["before"]): unknown {
  if (view === undefined) return undefined;
  const { revision, status, value, context } = view;
  return { revision, status, value, context };
}

function changeLine({ path, before, now }: Preview["changes"][number]): string {
  return `${path}: ${shownJson(before)} -> ${shownJson(now)}`;
}

function failureLines({ error, next }: NonNullable<Preview["failed"]>): string[] {
  const end = next.retry
    ? `another attempt would follow after ${Math.round(next.delayMs)} ms`
    : `it would be a dead letter again (${next.reason})`;
  const frames = (error.stack ?? "").split("\n").filter((line) => line.trim().startsWith("at "));
  return [`fails with ${error.name}: ${error.message}`, ...frames.slice(0, 5).map((line) => `  ${line.trim()}`), end];
}

function workLine(work: PreviewedWork): string {
  switch (work.kind) {
    case "mail":
      return work.what === "event"
        ? `send ${shownJson(work.event)} to ${work.to}`
        : `${work.what} ${work.to}${work.input === undefined ? "" : ` with ${shownJson(work.input)}`}`;
    case "emit":
      return `emit ${shownJson(work.event)}`;
    case "publish":
      return `publish ${shownJson(work.event)} on ${work.topic}`;
    case "timer":
      return `set a timer for ${shownTime(work.at)}: ${work.event}`;
    case "task":
      return `start activity ${work.activity} as ${work.id}, attempt ${work.attempt}`;
    case "cancel":
      return `cancel activity ${work.activity}`;
    case "live":
      return `${work.what === "starts" ? "start" : "stop"} live child ${work.id} (${work.src})`;
    case "deliver":
      return `deliver ${shownJson(work.event)} to live child ${work.child}`;
    case "action":
      return `run action ${work.name}`;
    case "log":
      return `log ${work.label === undefined ? "" : `${work.label}: `}${work.text}`;
  }
}
