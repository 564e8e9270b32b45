import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as errors from "../../runtime/core/errors.ts";

const classes = Object.entries(errors).filter(
  ([name, value]) =>
    typeof value === "function" && name.endsWith("Error") && name !== "StatewrightError" && /^[A-Z]/.test(name),
) as Array<[string, new (message: string) => errors.StatewrightError]>;

describe("docs/errors.md", () => {
  it("lists exactly the errors that there are, each with its retry class", () => {
    const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
    const listed = [...page.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, tag, retry]) => [tag, retry]);
    expect(listed).toEqual(classes.map(([name, Class]) => [name, new Class("x").retry]));
  });
});

describe("an error", () => {
  it.each(classes)("%s has a tag that is its name, its class and its code", (name, Class) => {
    const error = new Class("What went wrong.");
    expect([error._tag, error.name, error.message]).toEqual([name, name, "What went wrong."]);
    expect(error).toBeInstanceOf(Error);
    expect(errors.isStatewrightError(error)).toBe(true);
  });

  it("is recognised across copies of the package, and nothing else is", () => {
    const foreign = Object.assign(new Error("x"), { [Symbol.for("statewright.error")]: true });
    expect(errors.isStatewrightError(foreign)).toBe(true);
    expect([new Error("x"), null, undefined, "x", {}].some(errors.isStatewrightError)).toBe(false);
  });
});
