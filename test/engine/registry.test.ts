/** What a node that starts tells of machines that have changed since they were registered. */
import { describe, expect, test } from "vitest";
import { createMachine, fromPromise, setup } from "xstate";
import { defineActor, type MigrateOption } from "../../actors/define-actor.ts";
import { createTestSystem } from "../../actors/test-system.ts";
import type { ActorTypeRecord } from "../../runtime/core/records.ts";
import { identityWith } from "../../runtime/engine/migration.ts";
import { changesSince } from "../../runtime/engine/registry.ts";
import type { NodeEvent } from "../../runtime/engine/telemetry.ts";

interface Given {
  readonly version?: string;
  readonly target?: string;
  readonly migrate?: MigrateOption;
  readonly states?: object;
}

function orderOf({ version, target = "cancelled", migrate, states }: Given = {}) {
  return defineActor("order", {
    machine: createMachine({
      id: "order",
      ...(version === undefined ? {} : { version }),
      initial: "open",
      states: { open: { on: { PAY: "paid", CANCEL: target } }, paid: {}, cancelled: {}, ...states },
    } as never),
    ...(migrate === undefined ? {} : { migrate }),
  });
}

/** What is told when one definition starts where the other was registered. */
function told(before: Given | undefined, now: Given, change: (record: ActorTypeRecord) => object = (record) => record) {
  const was = orderOf(before);
  const record: ActorTypeRecord = {
    format: 1,
    type: "order",
    machine: identityWith(was.driver.identity, was.migrations?.own),
    shape: was.driver.shape,
    needsCreate: false,
  };
  return changesSince(JSON.parse(JSON.stringify(change(record))), orderOf(now));
}

const keep: MigrateOption[string] = (state) => state;

describe("the same version", () => {
  test("and the same machine: nothing", () => {
    expect(told({}, {})).toEqual([]);
    expect(told({ version: "1" }, { version: "1" })).toEqual([]);
  });

  test("and another machine: a warning with the difference in words, and what to do", () => {
    expect(told({}, { target: "paid" })).toEqual([
      {
        level: "warn",
        name: "machine.changed",
        message:
          'The machine of actor type "order" has changed, and it has no version: event CANCEL in order.open leads to order.paid now, it led to order.cancelled. ' +
          "Its actors go on where their states fit the machine, and are parked where they do not. " +
          'Give the machine a version and the definition a migration (migrate: { "none->1": … }), or see with "statewright check" what it does to the actors that there are.',
        data: {
          type: "order",
          differences: ["event CANCEL in order.open leads to order.paid now, it led to order.cancelled"],
        },
      },
    ]);
    const [event] = told({ version: "3" }, { version: "3", target: "paid" });
    expect(event?.message).toContain("has changed, and its version is still 3: event CANCEL");
    expect(event?.message).toContain('migrate: { "3->…": … }');
    expect(event?.data).toMatchObject({ version: "3" });
  });

  test("names the first differences, and has all in its data", () => {
    const states = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`new${i}`, {}]));
    const [event] = told({}, { states });
    expect(event?.message).toContain("state order.new15 is new; and 12 more. ");
    expect(event?.data?.differences).toHaveLength(20);
  });

  test("says so when nothing is known of what was before", () => {
    const [event] = told({}, { target: "paid" }, ({ shape: _, ...record }) => record);
    expect(event).toMatchObject({ level: "warn", data: { differences: [] } });
    expect(event?.message).toContain("what is different is not known");
  });
});

describe("another version", () => {
  test("that takes the registered one over is information", () => {
    const [event, ...more] = told({ version: "1" }, { version: "3", migrate: { "1->2": keep, "2->3": keep } });
    expect(more).toEqual([]);
    expect(event).toEqual({
      level: "info",
      name: "machine.version",
      message:
        'The machine of actor type "order" has version 3 now, it had version 1. States are brought along with the next message of their actors, or all at once by "statewright migrate".',
      data: { type: "order", from: "1", to: "3" },
    });
    expect(told({}, { version: "1", migrate: { "none->1": keep } })[0]?.message).toContain(
      "version 1 now, it had no version",
    );
  });

  test("that the registered one takes over is a warning", () => {
    const [event] = told({ version: "3", migrate: { "2->3": keep } }, { version: "2" });
    expect(event).toMatchObject({ level: "warn", name: "machine.older", data: { from: "3", to: "2" } });
    expect(event?.message).toContain(
      "Actors whose states have been brought to version 3 wait for a node that runs it.",
    );
  });

  test.each([
    ["9", "10", "info", "machine.version"],
    ["1.9.0", "1.10.0", "info", "machine.version"],
    [undefined, "1", "info", "machine.version"],
    ["10", "9", "warn", "machine.older"],
    ["1", undefined, "warn", "machine.older"],
  ])("without a migration goes by its number: %s, then %s", (before, now, level, name) => {
    const version = (given: string | undefined): Given => (given === undefined ? {} : { version: given });
    const [event] = told(version(before), version(now));
    expect(event).toMatchObject({ level, name });
    expect(event?.message).toContain("There is no migration from");
  });
});

test("machines of children are compared too, each by its own version", () => {
  const parentOf = (child: object, migrate?: MigrateOption) =>
    defineActor("parent", {
      machine: setup({
        actors: { payment: createMachine(child as never), load: fromPromise(async () => 1) },
      }).createMachine({ id: "parent", invoke: { src: "payment" } }),
      ...(migrate === undefined ? {} : { migrate }),
    });
  const was = parentOf({ id: "payment", initial: "a", states: { a: {} } });
  const record: ActorTypeRecord = {
    format: 1,
    type: "parent",
    machine: was.driver.identity,
    shape: was.driver.shape,
    needsCreate: false,
  };
  const [changed, ...more] = changesSince(record, parentOf({ id: "payment", initial: "a", states: { a: {}, b: {} } }));
  expect(more).toEqual([]);
  expect(changed?.message).toContain(
    'The machine of child "payment" of actor type "parent" has changed, and it has no version: state payment.b is new. ',
  );
  expect(changed?.message).toContain('migrate: { payment: { "none->1": … } }');
  expect(changed?.data).toMatchObject({ child: ["payment"] });

  const next = { id: "payment", version: "1", initial: "b", states: { b: {} } };
  const [version] = changesSince(record, parentOf(next, { payment: { "none->1": keep } }));
  expect(version).toMatchObject({ level: "info", name: "machine.version", data: { child: ["payment"], to: "1" } });
});

test("a node tells it once, when it starts, and registers what it runs", async () => {
  const events: Array<NodeEvent & { readonly node: string }> = [];
  const system = await createTestSystem({
    actors: [orderOf()],
    onEvent: (event, node) => events.push({ ...event, node }),
  });
  const changes = () =>
    events.filter(({ name }) => name.startsWith("machine.")).map(({ node, name }) => `${node} ${name}`);
  await system.startNode({ actors: [orderOf()] });
  expect(changes()).toEqual([]);
  await system.startNode({ actors: [orderOf({ target: "paid" })] });
  await system.startNode({ actors: [orderOf({ target: "paid" })] });
  expect(changes()).toEqual(["node-3 machine.changed"]);
  await system.startNode({ actors: [orderOf({ version: "1", target: "paid", migrate: { "none->1": keep } })] });
  expect(changes().slice(1)).toEqual(["node-5 machine.version"]);
  expect((await system.run(system.client.types())).map(({ machine }) => machine)).toMatchObject([{ version: "1" }]);
  await system.stop();
});
