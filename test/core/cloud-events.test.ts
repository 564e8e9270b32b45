import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeAddress } from "../../runtime/core/address.ts";
import { cloudEvent, cloudEventOverheadBytes, eventSource, readCloudEvent } from "../../runtime/core/cloud-events.ts";
import { toStored } from "../../runtime/core/codec.ts";
import { headerLines } from "../../runtime/log/headers.ts";

const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const anyName = fc
  .string({ unit: "binary", minLength: 1, maxLength: 60 })
  .filter((name) => name.isWellFormed() && Buffer.byteLength(name) <= 256);

function make(type: string, id = "42", event: unknown = { type, amount: 12 }) {
  const source = eventSource("shop", makeAddress("order", id));
  const eventJson = JSON.stringify(toStored(event, "event"));
  return { ...cloudEvent("c1-0", source, type, at, eventJson), source, eventJson };
}

describe("an event for the world outside", () => {
  it("is a CloudEvent in JSON, and says the same in its headers", () => {
    const { data, headers } = make("PAID");
    expect(JSON.parse(Buffer.from(data).toString())).toEqual({
      specversion: "1.0",
      id: "c1-0",
      source: "/shop/order/42",
      type: "PAID",
      time: "2026-01-02T03:04:05.678Z",
      datacontenttype: "application/json",
      data: { type: "PAID", amount: 12 },
    });
    expect(headers).toEqual({
      "content-type": "application/cloudevents+json",
      "ce-specversion": "1.0",
      "ce-id": "c1-0",
      "ce-source": "/shop/order/42",
      "ce-type": "PAID",
      "ce-time": "2026-01-02T03:04:05.678Z",
    });
  });

  it("has the time that it is given, also when that goes back", () => {
    const timeOf = (atMs: number) => cloudEvent("1", "/s", "T", atMs, "{}").headers["ce-time"];
    expect([at, at, at + 1, 0, at].map(timeOf)).toEqual(
      [at, at, at + 1, 0, at].map((atMs) => new Date(atMs).toISOString()),
    );
  });

  it("has a source that is a URI, different for different actors, and readable for a child", () => {
    expect(eventSource("shop", { type: "order", id: "42/~payment" })).toBe("/shop/order/42/~payment");
    expect(eventSource("shop", { type: "order", id: "a b?c#d%é" })).toBe("/shop/order/a%20b%3Fc%23d%25%C3%A9");
    fc.assert(
      fc.property(anyName, anyName, (one, other) => {
        const sources = [one, other].map((id) => eventSource("shop", { type: "order", id }));
        for (const source of sources)
          expect(source).toMatch(/^\/shop\/order\/(?:[A-Za-z0-9/_.~!*'()-]|%[0-9A-F]{2})+$/);
        expect(sources[0] === sources[1]).toBe(one === other);
      }),
      { numRuns: 2000 },
    );
  });

  it("takes no more bytes than it is reckoned to, headers included", () => {
    fc.assert(
      fc.property(anyName, anyName, (type, id) => {
        const { data, headers, eventJson } = make(type, id);
        const overhead = data.length - Buffer.byteLength(eventJson) + headerLines(headers).length;
        expect(overhead).toBeLessThanOrEqual(cloudEventOverheadBytes({ type: "order", id }, type));
      }),
      { numRuns: 2000 },
    );
    const id = `a/~${"\uffff".repeat(340)}`;
    const worst = make("\u0001".repeat(256), id);
    expect(worst.data.length + headerLines(worst.headers).length).toBeLessThanOrEqual(
      cloudEventOverheadBytes({ type: "order", id }, "\u0001".repeat(256)) + worst.eventJson.length,
    );
  });
});

describe("reading an event", () => {
  it("gives back what the machine said, whatever JSON lacks", () => {
    const event = { type: "PAID", on: new Date(at), total: 12n, none: undefined, "~": "date" };
    expect(readCloudEvent("an event", make("PAID", "42", event).data)).toEqual({ id: "c1-0", event });
  });

  it.each([
    ["no JSON", "{"],
    ["no UTF-8", Uint8Array.of(0xff)],
    ["another version", '{"specversion":"2.0","id":"1","data":{"type":"A"}}'],
    ["no id", '{"specversion":"1.0","data":{"type":"A"}}'],
    ["no data", '{"specversion":"1.0","id":"1"}'],
    ["data without a type", '{"specversion":"1.0","id":"1","data":{}}'],
    ["an unknown tag", '{"specversion":"1.0","id":"1","data":{"~":"nope","v":1}}'],
    ["null", "null"],
  ])("refuses %s, and says what it was", (_, bytes) => {
    expect(() => readCloudEvent("event 7 of order/42", Buffer.from(bytes))).toThrow(
      expect.objectContaining({
        _tag: "CorruptRecordError",
        message: expect.stringContaining("Cannot read event 7 of order/42: "),
      }),
    );
  });
});
