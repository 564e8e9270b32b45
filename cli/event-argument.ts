/** Events and inputs as they are given on the command line: a type name, JSON, or JSON on standard input. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { InvalidOptionsError } from "../runtime/core/errors.ts";
import type { Io } from "./terminal.ts";

/** An event that is ready to be sent. */
export type GivenEvent = { readonly type: string; readonly [field: string]: unknown };

/**
 * Reads the event of `send` and `ask`.
 *
 * Details: what begins with `{` is JSON, anything else is an event type. The fields of `data` are added to it and win over its own.
 *
 * Errors: `InvalidOptionsError` for what is neither, and for data that is no object or names another type.
 */
export function readEvent(text: string, data: string | undefined): GivenEvent {
  const event = text.trimStart().startsWith("{") ? parseEvent(text, "the event") : eventOfType(text);
  if (data === undefined) return event;
  const fields = parseJson(data, "--data");
  if (!isObject(fields)) throw wrong(`--data is ${shorten(data)}: use a JSON object with what the event carries`);
  if (fields.type !== undefined && fields.type !== event.type) {
    throw wrong(
      `--data names the type ${JSON.stringify(fields.type)}, the event is ${JSON.stringify(event.type)}: leave it out`,
    );
  }
  return { ...event, ...fields, type: event.type };
}

/** Reads one JSON event; `place` names it in the message. Errors: `InvalidOptionsError`. */
export function parseEvent(text: string, place: string): GivenEvent {
  const event = parseJson(text, place);
  if (!isObject(event) || typeof event.type !== "string" || event.type === "") {
    throw wrong(`${place} is ${shorten(text)}: use a JSON object with a "type", such as '{"type":"INC","by":2}'`);
  }
  return event as GivenEvent;
}

/** Reads JSON; `place` names it in the message. Errors: `InvalidOptionsError`. */
export function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const hint = text.trim() === "" ? "it is empty" : (cause as Error).message;
    throw new InvalidOptionsError(`Cannot read ${place} as JSON: ${hint}.`, {
      cause,
      details: { text: shorten(text) },
    });
  }
}

function eventOfType(text: string): GivenEvent {
  const type = text.trim();
  if (type === "") throw wrong("the event is empty: use an event type, or JSON with a type");
  if (/^["[]/.test(type)) throw wrong(`the event is ${shorten(type)}: use an event type, or a JSON object with a type`);
  return { type };
}

/** The text of an option that takes JSON: as it stands, `@file` for what is in a file, or `-` for standard input. Errors: `InvalidOptionsError` for a file that cannot be read. */
export async function readJsonText(text: string, io: Pick<Io, "stdin" | "cwd">): Promise<string> {
  if (text === "-") return readAll(io.stdin);
  if (!text.startsWith("@")) return text;
  try {
    return await readFile(resolve(io.cwd, text.slice(1)), "utf8");
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : (cause as Error).message;
    throw new InvalidOptionsError(`Cannot read ${text.slice(1)}: ${why}.`, { cause, details: { file: text.slice(1) } });
  }
}

/** Reads all of standard input as text. */
export async function readAll(stdin: AsyncIterable<string | Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stdin) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** Reads standard input line by line; empty lines are left out, and counted. */
export async function* readLines(
  stdin: AsyncIterable<string | Uint8Array>,
): AsyncGenerator<{ readonly text: string; readonly number: number }> {
  const decoder = new TextDecoder();
  let rest = "";
  let number = 0;
  const take = function* (text: string) {
    number++;
    if (text.trim() !== "") yield { text, number };
  };
  for await (const chunk of stdin) {
    const lines = (rest + (typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true }))).split("\n");
    rest = lines.pop() as string;
    for (const line of lines) yield* take(line);
  }
  rest += decoder.decode();
  if (rest !== "") yield* take(rest);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

function wrong(problem: string): InvalidOptionsError {
  return new InvalidOptionsError(`Cannot read the arguments: ${problem}.`, { details: { problems: [problem] } });
}
