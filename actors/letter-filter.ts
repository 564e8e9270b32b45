/**
 * Which dead letters are meant: one language for the client, the command line and whatever shows letters.
 *
 * 1. A filter is an object, or the same as text; both are compiled to one thing, so that they cannot come to mean different things.
 * 2. Fields are joined by *and*, several values of a field by *or*. `not` leaves out what has any of its values.
 * 3. All problems are told at once; an unknown field is refused with the nearest known one.
 */
import type { DeadReason, LetterRecord } from "../runtime/core/records.ts";
import { durationMs, listed, nearestName, refuseProblems, shown } from "../runtime/supervise/check-options.ts";
import { type FilterTerm, termsOf } from "./client/filter-text.ts";
import { addressIn, eventIn, fingerprintIn } from "./client/letters.ts";

type OneOrMore<Value> = Value | readonly Value[];

/** What a letter may be known by. Of several values of a field any one will do. */
export interface LetterFields {
  /** Letters for actors of this type. */
  readonly type?: OneOrMore<string>;
  /** Letters for actors with this id. */
  readonly id?: OneOrMore<string>;
  /** The letter itself. */
  readonly letter?: OneOrMore<string>;
  readonly reason?: OneOrMore<DeadReason>;
  /** A group of letters: see `DeadLetters.groups`. */
  readonly fingerprint?: OneOrMore<string>;
  /** Event type, or the kind of the message, such as `create`. */
  readonly event?: OneOrMore<string>;
  /** State in which the actor was: a state value, or a path of one; `paying` means `paying.card` too. */
  readonly state?: OneOrMore<string> | Readonly<Record<string, unknown>>;
  /** Found in the explanation or in the newest error, without regard to upper and lower case. Of several all must be found; under `not`, none. */
  readonly text?: OneOrMore<string>;
}

/** Which letters are meant; without any field, all. */
export interface DeadLetterFilter extends LetterFields {
  /** Died at this time or later: a date, milliseconds since 1970, or how long ago, such as "2 hours" or "2h". */
  readonly since?: Date | number | string;
  /** Died before this time; as `since`. */
  readonly until?: Date | number | string;
  /** How often they have been redriven. */
  readonly redrives?: number | { readonly min?: number; readonly max?: number };
  /** Default: `dead`. `any` means closed ones too. */
  readonly status?: OneOrMore<LetterRecord["status"] | "any">;
  /** Letters with any of these are left out. */
  readonly not?: LetterFields;
}

/** A filter as it is applied. */
export interface CompiledFilter {
  /** What the log can filter by itself. */
  readonly of: { readonly type?: string; readonly id?: string };
  /** The letters that are named, when they are. */
  readonly letters: readonly string[] | undefined;
  /** True when letters that are not dead may match. */
  readonly wantsClosed: boolean;
  readonly matches: (record: LetterRecord) => boolean;
}

// As records, so that the compiler misses none.
const reasons: Readonly<Record<DeadReason, true>> = {
  malformed: true,
  schema: true,
  reserved: true,
  "unknown-type": true,
  "not-created": true,
  attempts: true,
  terminal: true,
  "too-large": true,
  crashed: true,
};
const statuses: Readonly<Record<LetterRecord["status"] | "any", true>> = {
  dead: true,
  redriven: true,
  dropped: true,
  expired: true,
  any: true,
};
const fieldNames: Readonly<Record<keyof LetterFields, true>> = {
  type: true,
  id: true,
  letter: true,
  reason: true,
  fingerprint: true,
  event: true,
  state: true,
  text: true,
};
const letterFields = Object.keys(fieldNames) as ReadonlyArray<keyof LetterFields>;
const singleFields = ["since", "until", "redrives"] as const;
const allFields: readonly string[] = [...letterFields, ...singleFields, "status", "not"];
/** The fields as text names them. */
const textFields: readonly string[] = [...letterFields, ...singleFields, "status"];

type Test = (record: LetterRecord) => boolean;

/**
 * Compiles a filter in either form; `now` is the time, milliseconds since 1970, `status` what is meant where the filter names none, and
 * `untold` are fields that cannot be used, since what is filtered does not have them.
 *
 * Errors: `InvalidOptionsError`, whose message begins with `attempted`.
 */
export function compileFilter(
  attempted: string,
  filter: DeadLetterFilter | string,
  now: number,
  status: "dead" | "any" = "dead",
  untold: ReadonlyArray<keyof DeadLetterFilter> = [],
): CompiledFilter {
  const problems: string[] = [];
  const given = typeof filter === "string" ? parsedFilter(filter, problems) : filter;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    problems.push(`the filter is ${shown(given)}: use an object, or text such as "type:order since:2h"`);
    refuseProblems(attempted, problems);
  }
  for (const field of untold) {
    const isUsed = given[field] !== undefined || given.not?.[field as keyof LetterFields] !== undefined;
    if (isUsed) problems.push(`"${field}" is not known when a letter is told of: leave it out`);
  }
  const compiled = compiledObject(given, now, status, problems);
  refuseProblems(attempted, problems);
  return compiled;
}

function parsedFilter(text: string, problems: string[]): DeadLetterFilter {
  const filter: Record<string, unknown> = {};
  const not: Record<string, string[]> = {};
  for (const term of termsOf(text, problems)) {
    const field = term.field ?? "text";
    if (!textFields.includes(field)) problems.push(unknownField(field, textFields, term));
    else if (!letterFields.includes(field as keyof LetterFields)) {
      if (term.isNegated) problems.push(`${term.text} cannot be negated: use ${listed(letterFields)} with "-"`);
      else if (field === "status") filter.status = [...((filter.status as string[]) ?? []), ...term.values];
      else if (filter[field] !== undefined || term.values.length > 1) {
        problems.push(`${term.text}: "${field}" takes one value`);
      } else filter[field] = field === "redrives" ? redrivesOf(term, problems) : term.values[0];
    } else {
      const into = term.isNegated ? not : (filter as Record<string, string[]>);
      into[field] = [...(into[field] ?? []), ...term.values];
    }
  }
  return Object.keys(not).length === 0 ? filter : { ...filter, not };
}

function unknownField(field: string, known: readonly string[], term?: FilterTerm): string {
  const near = nearestName(field, known);
  const hint = near === undefined ? `use ${listed(known)}` : `did you mean "${near}"?`;
  const asText = term === undefined || term.isNegated ? "" : ` To look for it as text, quote it: "${term.text}"`;
  return `"${field}" is no field of a filter: ${hint}${near === undefined && asText !== "" ? "." : ""}${asText}`;
}

function redrivesOf({ values, text }: FilterTerm, problems: string[]): DeadLetterFilter["redrives"] {
  const match = /^(>=|<=|>|<|=)?(\d{1,6})$/.exec(values[0] as string);
  if (match === null) {
    problems.push(`${text}: use a whole number, also with ">", ">=", "<" or "<=" before it`);
    return undefined;
  }
  const count = Number(match[2]);
  switch (match[1]) {
    case ">=":
      return { min: count };
    case ">":
      return { min: count + 1 };
    case "<=":
      return { max: count };
    case "<":
      return { max: count - 1 };
    default:
      return count;
  }
}

function compiledObject(
  filter: DeadLetterFilter,
  now: number,
  status: "dead" | "any",
  problems: string[],
): CompiledFilter {
  for (const key of Object.keys(filter)) if (!allFields.includes(key)) problems.push(unknownField(key, allFields));
  const tests: Test[] = fieldTests(filter, "", problems);
  if (filter.not !== undefined) tests.push(...exclusions(filter.not, problems));
  const since = timeMs(filter.since, "since", now, problems);
  if (since !== undefined) tests.push(({ at }) => at >= since);
  const until = timeMs(filter.until, "until", now, problems);
  if (until !== undefined) tests.push(({ at }) => at < until);
  const range = redriveRange(filter.redrives, problems);
  if (range !== undefined) tests.push(({ redrives }) => redrives >= range.min && redrives <= range.max);
  const wanted = filter.status === undefined ? [status] : valuesOf(filter.status, "status", problems, statuses);
  if (!wanted.includes("any")) tests.push((record) => wanted.includes(record.status));
  const single = (value: unknown): string | undefined =>
    typeof value === "string" ? value : Array.isArray(value) && value.length === 1 ? (value[0] as string) : undefined;
  const type = single(filter.type);
  const id = single(filter.id);
  return {
    // What cannot be a name of the log matches no letter, and is left to the tests.
    of: {
      ...(type !== undefined && /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(type) ? { type } : {}),
      ...(id !== undefined && id !== "" && id.length <= 256 && id.isWellFormed() ? { id } : {}),
    },
    letters: filter.letter === undefined ? undefined : valuesOf(filter.letter, "letter", []),
    wantsClosed: wanted.some((each) => each !== "dead"),
    matches: (record) => tests.every((test) => test(record)),
  };
}

/** A test for each field that is given. */
function fieldTests(fields: LetterFields, path: string, problems: string[]): Test[] {
  const tests: Test[] = [];
  const add = (field: keyof LetterFields, of: (record: LetterRecord) => string | undefined, known?: object): void => {
    if (fields[field] === undefined) return;
    const values = new Set(valuesOf(fields[field], `${path}${field}`, problems, known));
    tests.push((record) => values.has(of(record) as string));
  };
  add("type", (record) => addressIn(record).type);
  add("id", (record) => addressIn(record).id);
  add("letter", ({ letter }) => letter);
  add("reason", ({ reason }) => reason, reasons);
  add("fingerprint", fingerprintIn);
  add("event", eventIn);
  const { state, text } = fields;
  if (state !== undefined) {
    const isValue = typeof state === "object" && !Array.isArray(state);
    const wanted = isValue ? pathsOf(state) : valuesOf(state, `${path}state`, problems);
    const isIn = (paths: readonly string[]) => (each: string) =>
      paths.some((one) => one === each || one.startsWith(`${each}.`));
    // A state value is all of its paths; of several paths any one will do.
    tests.push((record) => {
      const found = isIn(pathsOf(record.state?.value));
      return isValue ? wanted.every(found) : wanted.some(found);
    });
  }
  if (text !== undefined) {
    const words = valuesOf(text, `${path}text`, problems).map((word) => word.toLowerCase());
    tests.push((record) => {
      const said = textIn(record);
      return words.every((word) => said.includes(word));
    });
  }
  return tests;
}

function exclusions(not: unknown, problems: string[]): Test[] {
  if (typeof not !== "object" || not === null || Array.isArray(not)) {
    problems.push(`not is ${shown(not)}: use an object of fields`);
    return [];
  }
  for (const key of Object.keys(not)) {
    if (!letterFields.includes(key as keyof LetterFields)) problems.push(`not: ${unknownField(key, letterFields)}`);
  }
  const fields = not as LetterFields;
  // Each text by itself: of several under `not`, none may be found.
  const { text, ...others } = fields;
  const texts = text === undefined ? [] : valuesOf(text, "not.text", problems);
  const tests = [
    ...fieldTests(others, "not.", problems),
    ...texts.flatMap((each) => fieldTests({ text: each }, "not.", [])),
  ];
  return tests.map((test) => (record) => !test(record));
}

function valuesOf(value: unknown, path: string, problems: string[], known?: object): string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) problems.push(`${path} is an empty list: leave it out, or name one`);
  for (const each of values) {
    if (typeof each !== "string" || each === "") problems.push(`${path} is ${shown(each)}: use text`);
    else if (known !== undefined && !Object.hasOwn(known, each)) {
      const near = nearestName(each, Object.keys(known));
      const hint = near === undefined ? `use ${listed(Object.keys(known))}` : `did you mean "${near}"?`;
      problems.push(`${path} is ${shown(each)}: ${hint}`);
    }
  }
  return values.filter((each) => typeof each === "string");
}

const shortUnits: Readonly<Record<string, string>> = {
  ms: "millis",
  s: "seconds",
  m: "minutes",
  h: "hours",
  d: "days",
  w: "weeks",
};

/** A time as milliseconds since 1970. */
function timeMs(value: unknown, path: string, now: number, problems: string[]): number | undefined {
  if (value === undefined) return undefined;
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.getTime();
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "string") {
    if (/^\d{4}-\d\d(-\d\d)?/.test(value)) {
      const at = Date.parse(value);
      if (!Number.isNaN(at)) return at;
    }
    const short = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d|w)$/.exec(value);
    const ago = durationMs(short === null ? value : `${short[1]} ${shortUnits[short[2] as string]}`, path, []);
    if (ago !== undefined) return now - ago;
  }
  problems.push(
    `${path} is ${shown(value)}: use how long ago, such as "2h" or "30 minutes", or a date such as "2026-01-31T12:00:00Z"`,
  );
  return undefined;
}

function redriveRange(value: unknown, problems: string[]): { readonly min: number; readonly max: number } | undefined {
  if (value === undefined) return undefined;
  const isCount = (each: unknown): each is number => typeof each === "number" && Number.isInteger(each);
  if (isCount(value)) return { min: value, max: value };
  if (typeof value === "object" && value !== null) {
    const { min = 0, max = Number.MAX_SAFE_INTEGER, ...rest } = value as { min?: unknown; max?: unknown };
    if (isCount(min) && isCount(max) && Object.keys(rest).length === 0) return { min, max };
  }
  problems.push(`redrives is ${shown(value)}: use a whole number, or { min, max }`);
  return undefined;
}

function textIn({ explanation, attempts }: LetterRecord): string {
  const error = attempts[attempts.length - 1]?.error;
  return `${explanation}\n${error === undefined ? "" : `${error.name}: ${error.message}`}`.toLowerCase();
}

/** The paths of a state value to its innermost states, with dots. */
function pathsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const below = pathsOf(inner);
    return below.length === 0 ? [key] : below.map((path) => `${key}.${path}`);
  });
}
