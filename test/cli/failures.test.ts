import { expect, test } from "vitest";
import { exitCodeOf } from "../../cli/exit-codes.ts";
import { tellFailure } from "../../cli/failure.ts";
import * as errors from "../../runtime/core/errors.ts";
import { fakeTerminal } from "./arrange.ts";

test.each([
  [errors.InvalidOptionsError, 2],
  [errors.InvalidNameError, 2],
  [errors.InvalidEventError, 2],
  [errors.InvalidDefinitionError, 2],
  [errors.PayloadTooLargeError, 2],
  [errors.NotStorableError, 2],
  [errors.NotAuthorizedError, 3],
  [errors.ActorNotFoundError, 4],
  [errors.LetterNotFoundError, 4],
  [errors.UnknownActorTypeError, 4],
  [errors.ConflictError, 5],
  [errors.LogUnavailableError, 1],
  [errors.AskTimeoutError, 1],
  [errors.DeadLetteredError, 1],
  [errors.SpaceConfigError, 1],
] as const)("%o ends with exit code %d", (ErrorClass, code) => {
  expect(exitCodeOf(new ErrorClass("Cannot."))).toBe(code);
});

test("a space that does not exist is not found", () => {
  expect(exitCodeOf(new errors.SpaceConfigError("Cannot.", { details: { missing: "space" } }))).toBe(4);
});

test.each([undefined, null, "text", new Error("x"), { _tag: "constructor" }])(
  "anything else has failed: %s",
  (error) => {
    expect(exitCodeOf(error)).toBe(1);
  },
);

test("an error is one sentence, without a stack", () => {
  const err = fakeTerminal();
  tellFailure(err, new errors.ActorNotFoundError("Cannot show a/1: \u001b[31mno."), {
    format: "table",
    isVerbose: false,
  });
  expect(err.text()).toBe("error: Cannot show a/1: \\u001b[31mno.\n");
});

test("stack and causes are shown when they are asked for", () => {
  const err = fakeTerminal();
  const error = new errors.LogUnavailableError("Cannot connect.", { cause: new Error("refused") });
  tellFailure(err, error, { format: "table", isVerbose: true });
  expect(err.text()).toMatch(/^error: Cannot connect\.\nLogUnavailableError: Cannot connect\.\n {4}at /);
  expect(err.text()).toContain("caused by Error: refused");
});

test("an error is a document with tag, message and details where JSON is asked for", () => {
  const err = fakeTerminal();
  tellFailure(err, new errors.ConflictError("Cannot create a/1.", { details: { actor: "a/1", at: new Date(0) } }), {
    format: "json",
    isVerbose: false,
  });
  tellFailure(err, new TypeError("odd"), { format: "json", isVerbose: false });
  expect(err.lines().map((line) => JSON.parse(line))).toEqual([
    {
      error: {
        tag: "ConflictError",
        message: "Cannot create a/1.",
        details: { actor: "a/1", at: "1970-01-01T00:00:00.000Z" },
      },
    },
    { error: { tag: "TypeError", message: "odd", details: {} } },
  ]);
});
