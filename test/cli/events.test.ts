import { expect, test } from "vitest";
import { readGivenEvent } from "../../cli/commands/send.ts";
import { readEvent, readLines } from "../../cli/event-argument.ts";
import { fakeIo } from "./arrange.ts";

test.each([
  ["INC", undefined, { type: "INC" }],
  ["order.paid", undefined, { type: "order.paid" }],
  ['{"type":"ADD","by":2}', undefined, { type: "ADD", by: 2 }],
  ["ADD", '{"by":2}', { type: "ADD", by: 2 }],
  [' {"type":"ADD","by":1,"note":"x"}', '{"by":2,"type":"ADD"}', { type: "ADD", by: 2, note: "x" }],
])("reads the event %s with data %s", (event, data, expected) => {
  expect(readEvent(event, data)).toEqual(expected);
});

test.each([
  ["{type:INC}", undefined, /Cannot read the event as JSON/],
  ['{"by":2}', undefined, /use a JSON object with a "type"/],
  ["", undefined, /the event is empty/],
  ['["INC"]', undefined, /use an event type, or a JSON object with a type/],
  ["ADD", "[1]", /--data is \[1\]: use a JSON object/],
  ["ADD", "{by:2}", /Cannot read --data as JSON/],
  ["ADD", '{"type":"SUB"}', /--data names the type "SUB", the event is "ADD"/],
])("refuses the event %s with data %s as a usage error", (event, data, message) => {
  expect(() => readEvent(event, data)).toThrow(
    expect.objectContaining({ _tag: "InvalidOptionsError", message: expect.stringMatching(message) }),
  );
});

test("reads the event or its data from standard input", async () => {
  expect(await readGivenEvent("-", '{"by":3}', fakeIo(['{"type":', '"ADD"}\n']))).toEqual({ type: "ADD", by: 3 });
  expect(await readGivenEvent("ADD", "-", fakeIo(['{"by":4}']))).toEqual({ type: "ADD", by: 4 });
  await expect(readGivenEvent("-", "-", fakeIo())).rejects.toThrow(/only one of/);
  await expect(readGivenEvent(undefined, undefined, fakeIo())).rejects.toThrow(/the event is missing/);
});

test("does not take a name on standard input for an event", async () => {
  await expect(readGivenEvent("-", undefined, fakeIo(["INC"]))).rejects.toThrow(/standard input as JSON/);
  await expect(readGivenEvent("-", undefined, fakeIo([""]))).rejects.toThrow(/it is empty/);
});

test("reads lines whatever the pieces in which they come, and counts empty ones", async () => {
  const bytes = Buffer.from('{"a":"é"}\r\n\n{"b":1}\nlast');
  const pieces = async function* () {
    for (const byte of bytes) yield Uint8Array.of(byte);
  };
  const lines: Array<[number, string]> = [];
  for await (const { number, text } of readLines(pieces())) lines.push([number, text.trim()]);
  expect(lines).toEqual([
    [1, '{"a":"é"}'],
    [3, '{"b":1}'],
    [4, "last"],
  ]);
});
