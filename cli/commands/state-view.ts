/** How an actor's state is printed: by `show`, and by the commands that end with a state. */
import type { AskResult } from "../../actors/client.ts";
import type { ActorView, ChildView } from "../../actors/view.ts";
import { type Address, formatAddress } from "../../runtime/core/address.ts";
import { type Field, type FullKind, fitJson } from "../printer.ts";
import { shownJsonLines, shownState, shownTime } from "../shown-values.ts";
import type { Style } from "../terminal.ts";

/** An actor's state. */
export const stateKind: FullKind<ActorView> = {
  id: (view) => formatAddress(view.address),
  json: jsonOfView,
  fields: (view, width) => [
    { label: "actor", text: formatAddress(view.address), style: "bold" },
    ...fieldsOfView(view, width),
  ],
};

/** What `ask` and `create` end with. */
export interface Answered {
  readonly actor: string;
  readonly result: AskResult;
}

/** The outcome of a message, and the state after it. */
export const answerKind: FullKind<Answered> = {
  id: ({ result }) => result.message,
  json: ({ actor, result }) => ({
    actor,
    outcome: result.outcome,
    reply: result.reply,
    duplicate: result.duplicate,
    message: result.message,
    revision: result.revision,
    view: jsonOfView(result.view),
  }),
  fields: ({ actor, result }, width) => [
    { label: "actor", text: actor, style: "bold" },
    { label: "outcome", text: shownOutcome(result), style: result.outcome === "ignored" ? "yellow" : "green" },
    ...(result.reply === undefined
      ? []
      : [{ label: "reply", text: fitJson(result.reply, shownJsonLines, width) } satisfies Field]),
    { label: "message", text: result.message },
    ...fieldsOfView(result.view, width, result.revision),
  ],
};

function shownOutcome({ outcome, duplicate }: AskResult): string {
  const meaning = outcome === "ignored" ? "ignored: nothing was changed" : outcome;
  return duplicate && outcome !== "duplicate" ? `${meaning} (by an earlier message with this key)` : meaning;
}

/** An actor's state, as JSON has it. */
export function jsonOfView(view: ActorView): Record<string, unknown> {
  return {
    actor: formatAddress(view.address),
    status: view.status,
    value: view.value,
    context: view.context,
    tags: view.tags,
    ...(view.output === undefined ? {} : { output: view.output }),
    ...(view.error === undefined ? {} : { error: view.error }),
    ...(view.children.length === 0 ? {} : { children: view.children.map(jsonOfChild) }),
    ...(view.parked === undefined ? {} : { parked: { letter: view.parked.letter, at: shownTime(view.parked.at) } }),
    ...(view.waiting === 0 ? {} : { waiting: view.waiting }),
    ...(view.retries.length === 0
      ? {}
      : { retries: view.retries.map((retry) => ({ ...retry, at: shownTime(retry.at) })) }),
    ...(view.restartAt === undefined ? {} : { restartAt: shownTime(view.restartAt) }),
    ...(view.timers.length === 0 ? {} : { timers: view.timers.map(({ at, event }) => ({ at: shownTime(at), event })) }),
    revision: view.revision,
    at: shownTime(view.at),
  };
}

const mostTimers = 10;

function jsonOfChild({ id, address, kind, src, ended, attempt }: ChildView): Record<string, unknown> {
  return {
    id,
    kind,
    src,
    ...(address === undefined ? {} : { address: formatAddress(address) }),
    ended,
    ...(attempt === undefined ? {} : { attempt }),
  };
}

function shownChild({ id, address, kind, src, ended, attempt }: ChildView): string {
  const what = kind === "actor" ? formatAddress(address as Address) : `${kind} ${src}`;
  const state = ended ? " (ended)" : attempt === undefined ? "" : ` (attempt ${attempt})`;
  return `${id}: ${what}${state}`;
}

/** What keeps the actor from taking messages, and how many wait. */
export function waitingFields({ parked, waiting, retries, restartAt }: ActorView): Field[] {
  const [next] = retries;
  const inLine = waiting - retries.length;
  const counted = (count: number, isFirst: boolean): string =>
    isFirst ? `${count} ${count === 1 ? "message" : "messages"}` : String(count);
  const parts: string[] = [];
  if (next !== undefined) {
    const when = `${retries.length === 1 ? "" : "the next "}at ${shownTime(next.at)} (attempt ${next.attempt})`;
    const held = retries.some(({ holds }) => holds) ? ", and nothing else before" : "";
    parts.push(`${counted(retries.length, true)} to be tried again, ${when}${held}`);
  }
  if (inLine > 0) parts.push(`${counted(inLine, next === undefined)} in line`);
  return [
    ...(parked === undefined
      ? []
      : [
          {
            label: "parked",
            text: `by dead letter ${parked.letter} since ${shownTime(parked.at)}: takes no message until it is redriven or dropped, or the actor is released`,
            style: "yellow" as const,
          },
        ]),
    ...(restartAt === undefined
      ? []
      : [{ label: "restart", text: `at ${shownTime(restartAt)}: takes no message before`, style: "yellow" as const }]),
    ...(parts.length === 0 ? [] : [{ label: "waiting", text: parts.join("; ") }]),
  ];
}

/** What the actor waits for: its children and its timers. */
export function pendingFields(view: ActorView): Field[] {
  return [
    ...view.children.map((child, i) => ({ label: i === 0 ? "children" : "", text: shownChild(child) })),
    ...view.timers
      .slice(0, mostTimers)
      .map(({ at, event }, i) => ({ label: i === 0 ? "timers" : "", text: `${shownTime(at)}  ${event}` })),
    ...(view.timers.length > mostTimers
      ? [{ label: "", text: `and ${view.timers.length - mostTimers} more` } satisfies Field]
      : []),
  ];
}

function fieldsOfView(view: ActorView, width: number, expectedRevision = view.revision): Field[] {
  const styles: Readonly<Record<ActorView["status"], Style>> = {
    active: "green",
    done: "dim",
    error: "red",
    stopped: "dim",
  };
  const later =
    view.revision === expectedRevision
      ? ""
      : ` (the message was revision ${expectedRevision}, whose state is no longer kept)`;
  return [
    { label: "status", text: view.status, style: styles[view.status] },
    ...waitingFields(view),
    { label: "value", text: shownState(view.value) },
    { label: "context", text: fitJson(view.context, shownJsonLines, width) },
    ...(view.tags.length === 0 ? [] : [{ label: "tags", text: view.tags.join(", ") }]),
    ...(view.output === undefined ? [] : [{ label: "output", text: fitJson(view.output, shownJsonLines, width) }]),
    ...(view.error === undefined
      ? []
      : [{ label: "error", text: fitJson(view.error, shownJsonLines, width), style: "red" as const }]),
    ...pendingFields(view),
    { label: "revision", text: `${view.revision}${later}` },
    { label: "when", text: shownTime(view.at) },
  ];
}
