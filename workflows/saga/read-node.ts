/** Reads what a saga's builder is given: all that is wrong is collected, and told at the end of the chain. */
import { isSchema, type Schema } from "../../actors/schema.ts";
import { durationMs, shown, unknownOptions } from "../../runtime/supervise/check-options.ts";
import { type RetryPolicyInput, readRetryPolicy } from "../../runtime/supervise/retry-policy.ts";
import { doingOf } from "./calls.ts";
import type { AllNode, Branch, ChooseNode, Doing, SagaNode, StepNode, UndoOn, WaitNode } from "./model.ts";

type Given = Readonly<Record<string, unknown>>;

const stepOptions = [
  "do",
  "undo",
  "retry",
  "timeout",
  "attemptTimeout",
  "fatal",
  "undoOn",
  "undoRetry",
  "undoTimeout",
  "irreversible",
];
const forwardOptions = ["do", "retry", "timeout", "attemptTimeout", "fatal"];
const pivotOptions = stepOptions.filter((option) => option !== "irreversible");
const waitOptions = ["event", "within", "else", "escalate"];
const undoOns: readonly unknown[] = ["attempted", "done", "always"] satisfies UndoOn[];

/** How a step stands in its saga: before the pivot, as the pivot, or behind it, where there is no way back. */
export type StepRole = "step" | "pivot" | "forward";

/** Reads a step. */
export function readStep(name: string, given: unknown, role: StepRole, problems: string[]): StepNode {
  const path = `${role === "pivot" ? "pivot" : "step"} ${shown(name)}`;
  const options = readObject(given, path, role === "forward" ? "{ do }" : "{ do, undo }", problems);
  const known = role === "forward" ? forwardOptions : role === "pivot" ? pivotOptions : stepOptions;
  for (const option of Object.keys(options)) {
    if (role === "forward" && stepOptions.includes(option) && !known.includes(option)) {
      problems.push(`${path} stands behind the pivot, where nothing is undone: leave ${option} out`);
    }
  }
  problems.push(...unknownOptions(options, role === "forward" ? stepOptions : known, path));
  const undo = options.undo === undefined ? undefined : readDoing(options.undo, `${path}.undo`, problems);
  const { undoOn = "attempted", irreversible } = options;
  if (!undoOns.includes(undoOn)) {
    problems.push(`${path}.undoOn is ${shown(undoOn)}: use ${undoOns.map(shown).join(", ")}`);
  }
  if (irreversible !== undefined && irreversible !== true && irreversible !== false)
    problems.push(`${path}.irreversible is ${shown(irreversible)}: use true, or leave it out`);
  if (irreversible === true && undo !== undefined)
    problems.push(`${path} is irreversible and has an undo: leave one of them out`);
  if (undo === undefined) {
    for (const option of ["undoOn", "undoRetry", "undoTimeout"]) {
      if (options[option] !== undefined && role !== "forward")
        problems.push(`${path}.${option} has no effect without an undo: leave it out`);
    }
  }
  return {
    kind: "step",
    name,
    do: readDoing(options.do, `${path}.do`, problems),
    undo: role === "forward" ? undefined : undo,
    isIrreversible: irreversible === true,
    isPivot: role === "pivot",
    undoOn: undoOn as UndoOn,
    retry: readRetry(options.retry, `${path}.retry`, problems),
    undoRetry: readRetry(options.undoRetry, `${path}.undoRetry`, problems),
    attemptTimeoutMs: readDuration(options.attemptTimeout, `${path}.attemptTimeout`, problems),
    timeoutMs: readDuration(options.timeout, `${path}.timeout`, problems),
    undoTimeoutMs: readDuration(options.undoTimeout, `${path}.undoTimeout`, problems),
    isFatal: readFatal(options.fatal, `${path}.fatal`, problems),
  };
}

/** Reads the branches of a group; `chainOf` calls what the user has written for a branch. */
export function readBranches(
  given: unknown,
  path: string,
  role: StepRole,
  chainOf: (build: (chain: never) => unknown) => readonly SagaNode[] | undefined,
  problems: string[],
): Branch[] {
  const entries = Object.entries(readObject(given, path, "branches by name", problems));
  if (entries.length === 0) problems.push(`${path} has no branches: name at least one`);
  return entries.map(([name, branch]) => {
    if (typeof branch !== "function") {
      return { name, isSingle: true, nodes: [readStep(name, branch, role, problems)] };
    }
    const nodes = chainOf(branch as (chain: never) => unknown);
    if (nodes === undefined)
      problems.push(`${path}: branch ${shown(name)} returns no chain: return what the chain that it is given returns`);
    else if (nodes.length === 0) problems.push(`${path}: branch ${shown(name)} has no steps: give it at least one`);
    return { name, isSingle: false, nodes: nodes ?? [] };
  });
}

/** Reads a group of branches that run side by side. */
export function makeAll(branches: readonly Branch[]): AllNode {
  return { kind: "all", name: branches.map(({ name }) => name).join("+"), branches };
}

/** Reads a choice. */
export function readChoose(name: string, pick: unknown, branches: readonly Branch[], problems: string[]): ChooseNode {
  if (typeof pick !== "function")
    problems.push(`choose ${shown(name)} has no function that picks: use choose(name, (scope) => "branch", branches)`);
  return { kind: "choose", name, pick: pick as ChooseNode["pick"], branches };
}

/** Reads a wait. */
export function readWait(name: string, given: unknown, problems: string[]): WaitNode {
  const path = `waitFor ${shown(name)}`;
  const options = given === undefined ? {} : readObject(given, path, "{ event, within, else, escalate }", problems);
  problems.push(...unknownOptions(options, waitOptions, path));
  const { event, escalate = [] } = options;
  if (event !== undefined && event !== null && !isSchema(event))
    problems.push(`${path}.event is ${shown(event)}: use a schema, or null when the event carries nothing`);
  const withinMs = readDuration(options.within, `${path}.within`, problems);
  if (options.else !== undefined && withinMs === undefined && options.within === undefined)
    problems.push(`${path}.else has no effect without within: add within, or leave it out`);
  if (options.else !== undefined && options.else !== "fail" && typeof options.else !== "function")
    problems.push(`${path}.else is ${shown(options.else)}: use "fail", or a function that gives a result`);
  const escalations: Array<WaitNode["escalations"][number]> = [];
  if (!Array.isArray(escalate)) problems.push(`${path}.escalate is ${shown(escalate)}: use a list of { after, do }`);
  else {
    for (const [i, each] of escalate.entries()) {
      const at = `${path}.escalate[${i}]`;
      const one = readObject(each, at, "{ after, do }", problems);
      problems.push(...unknownOptions(one, ["after", "do"], at));
      const afterMs = readDuration(one.after, `${at}.after`, problems);
      if (one.after === undefined) problems.push(`${at}.after is missing: say how long after the waiting began`);
      if (afterMs !== undefined && withinMs !== undefined && afterMs >= withinMs)
        problems.push(`${at}.after is ${afterMs} ms, and the waiting ends after ${withinMs} ms: use less`);
      escalations.push({ afterMs: afterMs ?? 0, do: readDoing(one.do, `${at}.do`, problems) });
    }
  }
  return {
    kind: "wait",
    name,
    schema: event as Schema | null | undefined,
    withinMs,
    otherwise: typeof options.else === "function" ? { kind: "go-on", result: options.else as never } : { kind: "fail" },
    escalations,
  };
}

/** Reads a duration that may be left out; one of 0 ms is refused. */
export function readDuration(value: unknown, path: string, problems: string[]): number | undefined {
  if (value === undefined) return undefined;
  const ms = durationMs(value as never, path, problems);
  if (ms === 0) problems.push(`${path} is 0 ms: use at least 1 ms`);
  return ms;
}

/** Checks a retry policy that may be left out. */
export function readRetry(value: unknown, path: string, problems: string[]): RetryPolicyInput | undefined {
  if (value === undefined) return undefined;
  readRetryPolicy(value as RetryPolicyInput, path, problems);
  return value as RetryPolicyInput;
}

function readDoing(value: unknown, path: string, problems: string[]): Doing {
  const doing = doingOf(value);
  if (doing !== undefined) return doing;
  if (typeof value === "function") return { kind: "handler", run: value as (run: never) => unknown };
  problems.push(`${path} is ${shown(value)}: use a function, or call(…), ask(…), startWorkflow(…)`);
  return { kind: "handler", run: () => undefined };
}

function readFatal(value: unknown, path: string, problems: string[]): (error: unknown) => boolean {
  if (value === undefined) return () => false;
  if (typeof value === "function") return value as (error: unknown) => boolean;
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) {
    return (error) => {
      const { name, code, _tag } = (error ?? {}) as { name?: unknown; code?: unknown; _tag?: unknown };
      return [name, code, _tag].some((each) => (value as unknown[]).includes(each));
    };
  }
  problems.push(`${path} is ${shown(value)}: use a function of the error, or a list of error names`);
  return () => false;
}

function readObject(value: unknown, path: string, use: string, problems: string[]): Given {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Given;
  problems.push(`${path} is ${shown(value)}: use ${use}`);
  return {};
}
