/** Errors as letters keep them, and what comes back of them. */
import { expect, test } from "vitest";
import { fromStoredError, toStoredError } from "../../runtime/core/records.ts";

const back = (thrown: unknown): unknown => fromStoredError(JSON.parse(JSON.stringify(toStoredError(thrown))));

test("keeps name, message, code, data and cause of an error", () => {
  const cause = Object.assign(new RangeError("too far"), { code: "E_FAR" });
  const error = back(Object.assign(new TypeError("bad", { cause }), { code: "E_BAD", data: { at: new Date(5) } }));
  expect(error).toBeInstanceOf(TypeError);
  expect(error).toMatchObject({ name: "TypeError", message: "bad", code: "E_BAD", data: { at: new Date(5) } });
  expect((error as Error).cause).toBeInstanceOf(RangeError);
  expect((error as Error).cause).toMatchObject({ message: "too far", code: "E_FAR" });
});

test("keeps the name of an error whose class it does not know", () => {
  class PaymentError extends Error {
    override readonly name = "PaymentError";
  }
  expect(back(new PaymentError("no money"))).toMatchObject({ name: "PaymentError", message: "no money" });
});

test("gives back what was thrown and is no error", () => {
  expect(back("no")).toBe("no");
  expect(back({ status: 402, at: new Date(1) })).toEqual({ status: 402, at: new Date(1) });
});

test("leaves out data that cannot be stored or is large", () => {
  expect(back(Object.assign(new Error("x"), { data: () => {} }))).not.toHaveProperty("data");
  expect(back(Object.assign(new Error("x"), { data: "y".repeat(5000) }))).not.toHaveProperty("data");
  expect(back(() => {})).toMatchObject({ name: "NonError" });
});
