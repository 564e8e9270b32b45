/**
 * Schemas at the door: any Standard Schema v1 (Zod, Valibot, ArkType, …) and Effect Schema, behind one synchronous check.
 *
 * 1. A schema is only ever asked, never trusted: whatever it throws refuses the value instead of stopping the node.
 * 2. The answer is immediate. A schema that answers later cannot be used, since a decision is made without waiting.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import * as Cause from "effect/Cause";
import * as Exit from "effect/Exit";
import type * as EffectSchemas from "effect/Schema";
import * as SchemaIssue from "effect/SchemaIssue";
import * as SchemaParser from "effect/SchemaParser";
import { InvalidDefinitionError } from "../runtime/core/errors.ts";

/** What an Effect Schema that needs no services looks like; `Input` is its encoded side. */
export interface EffectSchema<out Input = unknown, out Output = unknown> {
  readonly "~effect/Schema/Schema": "~effect/Schema/Schema";
  readonly Encoded: Input;
  readonly Type: Output;
  readonly DecodingServices: never;
}

/** A schema that takes `Input` and gives `Output`: a Standard Schema v1 or an Effect Schema. */
export type Schema<Input = unknown, Output = unknown> = StandardSchemaV1<Input, Output> | EffectSchema<Input, Output>;

/** The type of the values that are handed to a schema: what a client sends. */
export type InferInput<S> = S extends EffectSchema
  ? S["Encoded"]
  : S extends StandardSchemaV1
    ? StandardSchemaV1.InferInput<S>
    : never;

/** The type of the values that a schema gives: what a machine takes. */
export type InferOutput<S> = S extends EffectSchema
  ? S["Type"]
  : S extends StandardSchemaV1
    ? StandardSchemaV1.InferOutput<S>
    : never;

/** What a schema says about a value: the value that it gives for it, or why it refuses it. */
export type Checked<Output> = { readonly value: Output } | { readonly problems: readonly string[] };

/** True for anything that {@link validate} can ask. */
export function isSchema(value: unknown): value is Schema {
  return isStandardSchema(value) || isEffectSchema(value);
}

/**
 * Asks a schema about a value.
 *
 * Details: A problem begins with the path in the value, as in `items[2].price: Expected number`, where there is one. At most 20 problems are
 * told, each in at most 500 characters. `what` names the value in errors, as in `event "ADD" of actor type "cart"`.
 *
 * Errors: `InvalidDefinitionError` when the schema answers with a promise.
 */
export function validate<S extends Schema>(schema: S, value: unknown, what = "a value"): Checked<InferOutput<S>> {
  // The output is whatever the schema's author declared: that is what the cast repeats.
  return ask(schema, value, what) as Checked<InferOutput<S>>;
}

function ask(schema: Schema, value: unknown, what: string): Checked<unknown> {
  try {
    // An Effect Schema that was made a Standard Schema answers as such, with the hooks that it was given.
    if (!isStandardSchema(schema)) return askEffect(schema, value, what);
    const result = schema["~standard"].validate(value);
    if ("then" in result) {
      // The answer is not awaited; unhandled, a rejection would end the process.
      result.then(undefined, () => undefined);
      throwSynchronously(schema, value);
      throw answersLater(what);
    }
    return result.issues === undefined || result.issues === null ? { value: result.value } : refusal(result.issues);
  } catch (error) {
    if (error instanceof InvalidDefinitionError) throw error;
    return {
      problems: [
        `the schema failed on it with ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`,
      ],
    };
  }
}

/** Zod hides what a refinement throws behind a promise; its own synchronous door throws it again. */
function throwSynchronously(schema: StandardSchemaV1, value: unknown): void {
  const { safeParse } = schema as { safeParse?: unknown };
  if (schema["~standard"].vendor !== "zod" || typeof safeParse !== "function") return;
  try {
    safeParse.call(schema, value);
  } catch (error) {
    if ((error as object | undefined)?.constructor.name !== "$ZodAsyncError") throw error;
  }
}

type Decoder = ReturnType<typeof SchemaParser.decodeUnknownExit>;

const decoders = new WeakMap<EffectSchema, Decoder>();
const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1();

function askEffect(schema: EffectSchema, value: unknown, what: string): Checked<unknown> {
  let decode = decoders.get(schema);
  if (decode === undefined) {
    // EffectSchema repeats the part of Effect's own type that users see; the rest is there in every schema.
    decode = SchemaParser.decodeUnknownExit(schema as unknown as EffectSchemas.ConstraintDecoder<unknown>, {
      errors: "all",
    });
    decoders.set(schema, decode);
  }
  const exit = decode(value);
  if (Exit.isSuccess(exit)) return { value: exit.value };
  const failure = Cause.squash(exit.cause);
  if (SchemaIssue.isIssue(failure)) return refusal(formatIssue(failure).issues);
  if (Cause.isAsyncFiberError(failure)) throw answersLater(what);
  throw failure;
}

const maxProblems = 20;
const maxProblemLength = 500;

function refusal(issues: readonly StandardSchemaV1.Issue[]): Checked<never> {
  const problems = issues.slice(0, maxProblems).map(({ path, message }) => {
    const where = pathInWords(path ?? []);
    const problem = where === "" ? message : `${where}: ${message}`;
    return problem.length > maxProblemLength ? `${problem.slice(0, maxProblemLength - 1)}…` : problem;
  });
  if (issues.length > maxProblems) problems.push(`${issues.length - maxProblems} more`);
  return { problems: problems.length > 0 ? problems : ["the schema refuses it and gives no reason"] };
}

function pathInWords(path: readonly (PropertyKey | StandardSchemaV1.PathSegment)[]): string {
  let words = "";
  for (const segment of path) {
    const key = typeof segment === "object" ? segment.key : segment;
    if (typeof key === "number") words += `[${key}]`;
    else if (typeof key === "string" && /^[A-Za-z_$][\w$]*$/.test(key)) words += words === "" ? key : `.${key}`;
    else words += `[${typeof key === "symbol" ? String(key) : JSON.stringify(key)}]`;
  }
  return words;
}

function answersLater(what: string): InvalidDefinitionError {
  return new InvalidDefinitionError(
    `Cannot check ${what}: its schema answers with a promise, and a decision is made without waiting. Use a schema without asynchronous refinements, and look up in the machine or an activity what is not in the value.`,
  );
}

function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  if (!isObject(value) || !("~standard" in value)) return false;
  const standard = value["~standard"];
  return isObject(standard) && standard.version === 1 && typeof standard.validate === "function";
}

function isEffectSchema(value: unknown): value is EffectSchema {
  return isObject(value) && "~effect/Schema/Schema" in value;
}

// Schemas may be functions: ArkType's are, and classes of Effect Schema.
function isObject(value: unknown): value is Record<string, unknown> {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
