import { describe, expect, expectTypeOf, it } from "vitest";
import { setup } from "xstate";
import { z } from "zod";
import { type AskResult, createClient } from "../../actors/client.ts";
import { defineActor } from "../../actors/define-actor.ts";
import { decodeEnvelope } from "../../runtime/core/envelope.ts";
import { space, World } from "./client-world.ts";

const machine = setup({
  types: {} as { context: { total: number }; events: { type: "ADD"; amount: number } | { type: "RESET" } },
}).createMachine({ id: "sum", context: { total: 0 }, on: { ADD: {}, RESET: {} } });
const sum = defineActor("sum", {
  machine,
  events: { ADD: z.object({ amount: z.coerce.number().min(1) }), RESET: null },
});

describe("the door", () => {
  it.each([
    ["no-slash", { type: "A" }, "InvalidNameError"],
    ["1bad/x", { type: "A" }, "InvalidNameError"],
    ["cart/", { type: "A" }, "InvalidNameError"],
    [`cart/${"x".repeat(257)}`, { type: "A" }, "InvalidNameError"],
    ["cart/\ud800", { type: "A" }, "InvalidNameError"],
    [undefined, { type: "A" }, "InvalidNameError"],
    [{ type: "cart" }, { type: "A" }, "InvalidNameError"],
    ["cart/1", undefined, "InvalidEventError"],
    ["cart/1", "ADD", "InvalidEventError"],
    ["cart/1", [], "InvalidEventError"],
    ["cart/1", {}, "InvalidEventError"],
    ["cart/1", { type: "" }, "InvalidEventError"],
    ["cart/1", { type: 7 }, "InvalidEventError"],
    ["cart/1", { type: "*" }, "InvalidEventError"],
    ["cart/1", { type: "xstate.done.actor.x" }, "InvalidEventError"],
    ["cart/1", { type: "statewright.timer" }, "InvalidEventError"],
    ["cart/1", { type: "A", "~": "date" }, "InvalidEventError"],
    ["cart/1", { type: "A", run: () => {} }, "NotStorableError"],
    ["cart/1", { type: "A", text: "x".repeat(1_000_000) }, "PayloadTooLargeError"],
  ])("refuses %j with %j before anything is sent", async (target, event, tag) => {
    const world = new World();
    expect(await world.failure(world.client.send(target as string, event as never))).toMatchObject({ _tag: tag });
    expect(await world.failure(world.client.ask(target as string, event as never))).toMatchObject({ _tag: tag });
    expect(world.broker.journal("ingress")).toHaveLength(0);
    await world.client.close();
  });

  it.each([
    [{ key: "" }, "InvalidNameError"],
    [{ key: "x".repeat(257) }, "InvalidNameError"],
    [{ timeout: "soon" }, "InvalidOptionsError"],
    [{ timeout: -1 }, "InvalidOptionsError"],
    [{ timeuot: 5 }, "InvalidOptionsError"],
    [{ signal: true }, "InvalidOptionsError"],
    [7, "InvalidOptionsError"],
  ])("refuses the options %j", async (options, tag) => {
    const world = new World();
    expect(await world.failure(world.client.send("cart/1", { type: "A" }, options as never))).toMatchObject({
      _tag: tag,
    });
    expect(world.broker.journal("ingress")).toHaveLength(0);
  });

  it("takes ids and keys of any Unicode, and payloads up to the limit", async () => {
    const world = new World();
    const ids = ["a.b", "*", ">", " ", "😀", "a/b/c", "ä", "$JS.API", "\u0000", "x".repeat(256)];
    for (const id of ids) await world.run(world.client.send({ type: "cart", id }, { type: "A" }, { key: id }));
    const subjects = world.broker
      .records("ingress")
      .map(({ subject }) => world.subjects.parseMailbox("ingress", subject)?.to.id);
    expect(subjects).toEqual(ids);
    await world.run(world.client.send("cart/1", { type: "A", text: "x".repeat(990_000) }));
  });

  it("keeps what JSON cannot hold", async () => {
    const world = new World();
    await world.run(world.client.send("cart/1", { type: "A", at: new Date(0), big: 7n, none: undefined }));
    const [record] = world.broker.records("ingress");
    expect(decodeEnvelope(record?.data as Uint8Array).event).toEqual({
      type: "A",
      at: { "~": "date", v: "1970-01-01T00:00:00.000Z" },
      big: { "~": "bigint", v: "7" },
      none: { "~": "undefined" },
    });
  });

  it("asks the schema of a reference, of a definition it was given, and sends the event as it came", async () => {
    const world = new World();
    const typed = await world.failure(world.client.send(sum.ref("1"), { type: "ADD", amount: 0 }));
    expect(typed).toMatchObject({
      _tag: "InvalidEventError",
      details: { actor: "sum/1", event: "ADD", reason: "schema" },
    });
    expect(typed.message).toContain("amount");
    const knowing = world.connect({ actors: [sum], allowUnknownTypes: false });
    expect(await world.failure(knowing.send("sum/1", { type: "ADD", amount: -1 }))).toMatchObject({
      _tag: "InvalidEventError",
    });
    expect(await world.failure(knowing.send("sum/1", { type: "xstate.init" }))).toMatchObject({
      details: { reason: "reserved" },
    });
    await world.run(knowing.send("sum/1", { type: "ADD", amount: "3" }));
    expect(decodeEnvelope(world.broker.records("ingress")[0]?.data as Uint8Array).event).toEqual({
      type: "ADD",
      amount: "3",
    });
  });

  it("asks the registry about types and events that it has no definition of", async () => {
    const world = new World();
    const client = world.connect({ allowUnknownTypes: false });
    const unknown = await world.failure(client.send("cart/1", { type: "ADD" }));
    expect(unknown).toMatchObject({ _tag: "UnknownActorTypeError" });
    expect(unknown.message).toContain("no node has registered any type");
    await world.register("cart", { events: ["ADD", "REMOVE"] });
    await world.run(client.send("cart/1", { type: "ADD" }));
    const misspelt = await world.failure(client.send("crat/1", { type: "ADD" }));
    expect(misspelt.message).toContain('did you mean "cart"');
    const event = await world.failure(client.send("cart/1", { type: "REMOVED" }));
    expect(event).toMatchObject({ _tag: "InvalidEventError" });
    expect(event.message).toContain('did you mean "REMOVE"');
    await world.register("cart", { events: ["ADD", "REMOVED"] });
    await world.run(client.send("cart/1", { type: "REMOVED" }));
    expect(await world.run(client.types())).toEqual([
      { type: "cart", machine: { id: "cart", fingerprint: "f" }, events: ["ADD", "REMOVED"], needsCreate: false },
    ]);
  });

  it("keeps the order of sends that had to wait for the registry", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = new World({ seed });
      await world.register("cart");
      const client = world.connect({ allowUnknownTypes: false });
      const sends: Array<Promise<unknown>> = [];
      for (let n = 0; n < 30; n++) {
        sends.push(client.send("cart/1", { type: "A", n }));
        if (n % 7 === 0) sends.push(client.send("none/1", { type: "A" }).catch(() => {}));
        if (n % 3 === 0) await world.time.advance(0.1);
      }
      await world.run(Promise.all(sends));
      expect(world.stored("cart/1")).toEqual(Array.from({ length: 30 }, (_, n) => n));
    }
  });

  it("goes on sending to types that it knows while the registry cannot be read", async () => {
    const world = new World();
    await world.register("cart");
    const client = world.connect({ allowUnknownTypes: false });
    await world.run(client.types());
    world.broker.faults.next("scan", () => true, "unavailable");
    const unknown = client.send("other/1", { type: "A" }).catch((error) => error._tag);
    const known = client.send("cart/1", { type: "A", n: 1 });
    expect(await world.run(Promise.all([unknown, known.then(() => "sent")]))).toEqual(["LogUnavailableError", "sent"]);
  });

  it("refuses options of its own that are wrong, all at once", () => {
    const world = new World();
    expect(() =>
      createClient({
        log: world.log,
        space,
        spaceName: "test",
        maxQueued: 0,
        sendTimeout: "never" as never,
        actors: [sum, sum, {} as never],
        sendr: "x",
      } as never),
    ).toThrow(/sendr.*"sender".*sendTimeout.*maxQueued.*actors\[1\].*actors\[2\]/);
    expect(() => createClient({ log: world.log, space, spaceName: "test", sender: "" })).toThrow(/sender name/);
    // Results of activities come from there.
    const sender = "statewright.worker";
    expect(() => createClient({ log: world.log, space, spaceName: "test", sender })).toThrow(
      /reserved for the runtime/,
    );
  });

  it("gives references the types of their definition", () => {
    const { client } = new World();
    const calls = () => {
      // @ts-expect-error: the event has no amount
      void client.send(sum.ref("1"), { type: "ADD" });
      // @ts-expect-error: no such event
      void client.send(sum.ref("1"), { type: "NONE" });
      void client.send(sum.ref("1"), { type: "RESET" });
      void client.send("sum/1", { type: "ANY", x: 1 });
      void client.waitFor(sum.ref("1"), (view) => view.context.total > 3);
      return client.ask(sum.ref("1"), { type: "RESET" });
    };
    expectTypeOf(calls).returns.resolves.toEqualTypeOf<AskResult<{ total: number }>>();
  });
});
