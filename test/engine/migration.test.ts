/** Migrations: what the door takes, which chain is chosen, and what becomes of a state. */
import { describe, expect, test } from "vitest";
import { createMachine, fromPromise, setup } from "xstate";
import { MigrationError } from "../../runtime/core/errors.ts";
import type { MachineIdentity, StoredSnapshot } from "../../runtime/core/records.ts";
import {
  type MigratedState,
  Migrations,
  migrationsFor,
  readMigrations,
  type StateToMigrate,
  type UsableState,
  useStored,
} from "../../runtime/engine/migration.ts";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";

const keep = (state: StateToMigrate): MigratedState => state;

const none = new Map<string, never>();

function problemsOf(migrate: unknown, version: string | undefined = "3"): string[] {
  const problems: string[] = [];
  const payment = { version: "7", children: new Map([["fraud", { version: undefined, children: none }]]) };
  readMigrations(migrate, { version, children: new Map([["payment", payment]]) }, problems);
  return problems;
}

/** The migrations of a machine of version 3. */
function read(migrate: Record<string, unknown>): Migrations | undefined {
  const problems: string[] = [];
  const tree = readMigrations(migrate, { version: "3", children: none }, problems);
  expect(problems).toEqual([]);
  return tree?.own;
}

describe("the door", () => {
  test("takes chains that lead to the machine's version, from having none too", () => {
    expect(problemsOf({ "none->1": keep, " 1 -> 2 ": keep, "2->3": keep, "4->3": keep })).toEqual([]);
    expect(problemsOf(undefined)).toEqual([]);
  });

  test("says at once all that is wrong", () => {
    expect(problemsOf({ "1": keep, "1->2->3": keep, "->3": keep, "3->3": keep, "2->none": keep, "2->3": "x" })).toEqual(
      [
        'migrate["1"] does not name two versions: use "from->to", as in "1->2" or "none->1"',
        'migrate["1->2->3"] does not name two versions: use "from->to", as in "1->2" or "none->1"',
        'migrate["->3"] does not name two versions: use "from->to", as in "1->2" or "none->1"',
        'migrate["3->3"] leads from a version to itself',
        'migrate["2->none"] leads to no version: give the machine one',
        'migrate["2->3"] is "x": use a function',
      ],
    );
  });

  test.each([
    [[], "3", 'migrate is []: use functions by the versions they lead from and to, as in { "1->2": … }'],
    [{ "1->2": keep, "1 -> 2": keep }, "2", 'migrate["1 -> 2"] is there twice, written differently'],
    [
      { "1->2": keep },
      undefined,
      "migrate leads to versions, and the machine has none: give it one (version in createMachine)",
    ],
    [{ "1->2": keep }, "none", `the version "none" of a machine cannot be named in migrate: use another, such as "2"`],
    [
      { "1->2": keep, "2->4": keep },
      "3",
      'migrate["1->2"] leads to version "2", from which nothing leads on to the machine\'s version "3"',
    ],
  ])("refuses %j for version %s", (migrate, version, problem) => {
    const problems: string[] = [];
    readMigrations(migrate, { version, children: none }, problems);
    expect(problems).toContain(problem);
  });
});

describe("migrations of child machines", () => {
  test("stand under the names of their logic, and are found by them", () => {
    const payment = { version: "7", children: new Map([["fraud", { version: "2", children: none }]]) };
    const problems: string[] = [];
    const tree = readMigrations(
      { "2->3": keep, payment: { "6->7": keep, fraud: { "1->2": keep } } },
      { version: "3", children: new Map([["payment", payment]]) },
      problems,
    );
    expect(problems).toEqual([]);
    expect(migrationsFor(tree, [])?.to).toBe("3");
    expect(migrationsFor(tree, ["payment"])?.to).toBe("7");
    expect(migrationsFor(tree, ["payment", "fraud"])?.to).toBe("2");
    expect(migrationsFor(tree, ["payment", "other"])).toBeUndefined();
    expect(migrationsFor(tree, ["mail", "fraud"])).toBeUndefined();
    expect(migrationsFor(undefined, ["payment"])).toBeUndefined();
  });

  test("are checked as those of the root", () => {
    expect(problemsOf({ payments: { "6->7": keep }, payment: { "5->6": keep, fraud: { "1->2": keep } } })).toEqual([
      'migrate["payments"] names no machine among the actors of the machine: did you mean "payment"?',
      'migrate["payment"]["fraud"] leads to versions, and the machine has none: give it one (version in createMachine)',
    ]);
    expect(problemsOf({ payment: { "5->6": keep } })).toEqual([
      'migrate["payment"]["5->6"] leads to version "6", from which nothing leads on to the machine\'s version "7"',
    ]);
  });
});

describe("a chain", () => {
  const chainIn = (keys: readonly string[], to: string, from: string) =>
    new Migrations(
      to,
      keys.map((key) => ({ from: key.split(">")[0] as string, to: key.split(">")[1] as string, run: keep })),
    )
      .chainFrom(from)
      ?.map((step) => `${step.from}>${step.to}`);

  test("goes from version to version, by the shortest way", () => {
    expect(chainIn(["1>2", "2>3", "3>4"], "4", "1")).toEqual(["1>2", "2>3", "3>4"]);
    expect(chainIn(["1>2", "2>3", "3>4", "1>3"], "4", "1")).toEqual(["1>3", "3>4"]);
    expect(chainIn(["1>2", "2>1", "2>3"], "3", "1")).toEqual(["1>2", "2>3"]);
  });

  test("is not there where nothing leads on", () => {
    expect(chainIn(["1>2", "2>3"], "3", "0")).toBeUndefined();
    expect(chainIn(["1>2", "2>1"], "3", "1")).toBeUndefined();
  });

  test("makes its version replace all that it comes from", () => {
    expect(read({ "1->2": keep, "2->3": keep, "none->3": keep, "3->2": keep })?.supersedes).toEqual(["1", "2", "none"]);
  });
});

const machine = setup({
  actors: { mailer: createMachine({ id: "mailer" }), charge: fromPromise(async () => 1) },
  delays: {
    NEVER: () => {
      throw new Error("no such delay");
    },
  },
}).createMachine({
  id: "order",
  version: "3",
  context: { total: 0 },
  initial: "open",
  states: {
    open: { tags: "editable", on: { PAY: "paying" } },
    paying: { initial: "card", states: { card: {}, cash: {}, back: { type: "history" } } },
    waiting: { after: { 60: "paid" } },
    stuck: { after: { NEVER: "paid" } },
    paid: { type: "final" },
  },
});
const driver = prepareMachine(machine);

/** Uses a state of version 1 (or another) under the machine, with the given migrations. */
function used(
  migrate: Record<string, unknown>,
  snapshot: Partial<StoredSnapshot> = {},
  given: { readonly machine?: Partial<MachineIdentity>; readonly status?: "active" | "done" | "error" } = {},
): UsableState {
  const migrations = read(migrate);
  return useStored(
    driver,
    migrations,
    {
      address: { type: "order", id: "42" },
      status: given.status ?? "active",
      machine: { id: "order", version: "1", fingerprint: "f", ...given.machine },
      snapshotJson: JSON.stringify({ value: "draft", context: { sum: 1 }, ...snapshot }),
    },
    1000,
  );
}

const storedOf = (made: UsableState): StoredSnapshot => JSON.parse(made.migrated?.snapshotJson as string);

describe("a state of an older version", () => {
  test("is brought along step by step, and encoded as the machine does", () => {
    const seen: unknown[] = [];
    const made = used({
      "1->2": (state: StateToMigrate) => {
        seen.push([state.from, state.to, state.id, state.status, state.value, { ...state.context }]);
        state.context.half = (state.context.sum as number) / 2;
        return state;
      },
      "2->3": ({ from, context }: StateToMigrate) => {
        seen.push([from, { ...context }]);
        return { value: "open", context: { total: context.half, at: new Date(5) } };
      },
    });
    expect(seen).toEqual([
      ["1", "2", "42", "active", "draft", { sum: 1 }],
      ["2", { sum: 1, half: 0.5 }],
    ]);
    expect(made.migrated).toMatchObject({ from: "1", work: [] });
    expect(storedOf(made)).toEqual({
      value: "open",
      context: { total: 0.5, at: { "~": "date", v: "1970-01-01T00:00:00.005Z" } },
      tags: ["editable"],
    });
    expect(driver.view(made.state)).toEqual({ status: "active", value: "open" });
  });

  test("is decoded for the migration, in a copy that it may change", () => {
    const context = { at: { "~": "date", v: "1970-01-01T00:00:00.005Z" }, items: [{ n: 1 }] };
    const made = used(
      {
        "1->3": (state: StateToMigrate<{ at: Date; items: Array<{ n: number }> }>) => {
          (state.context.items[0] as { n: number }).n = state.context.at.getTime();
          return { value: "open", context: state.context };
        },
      },
      { context },
    );
    expect(storedOf(made).context).toEqual({ ...context, items: [{ n: 5 }] });
  });

  const snapshot = {
    history: { "order.paying.back": ["order.paying.cash"] },
    children: {
      mail: { kind: "actor", src: "mailer", n: 1 },
      card: { kind: "activity", src: "charge", n: 2, task: { attempt: 1, since: 0 } },
    },
    timers: { 3: { at: 9, event: { type: "LATE" } }, 4: { at: 8, task: { kind: "deadline", child: "card", n: 2 } } },
    n: 5,
  } as const;

  test("keeps history, children and timers unless the migration says otherwise", () => {
    const seen: StateToMigrate[] = [];
    const made = used(
      {
        "1->3": (state: StateToMigrate) => {
          seen.push(structuredClone(state));
          return { value: "open", context: {} };
        },
      },
      snapshot,
    );
    expect(storedOf(made)).toEqual({ ...snapshot, value: "open", context: {}, tags: ["editable"] });
    expect(made.migrated?.work).toEqual([]);
    expect(seen[0]).toMatchObject({
      history: snapshot.history,
      children: { mail: { kind: "actor", src: "mailer" }, card: { kind: "activity", src: "charge" } },
      timers: { 3: { at: 9, event: { type: "LATE" } }, 4: { at: 8, event: undefined } },
    });
  });

  test("has what the migration leaves out stopped, and its timers changed", () => {
    const seen: string[][] = [];
    const made = used(
      {
        "1->2": (state: StateToMigrate) => {
          delete state.children.mail;
          delete state.timers[4];
          return { ...state, timers: { 3: { at: 9, event: { type: "LATER", by: 1n } } } };
        },
        "2->3": ({ children }: StateToMigrate) => {
          seen.push(Object.keys(children));
          return { value: "open", context: {}, history: {} };
        },
      },
      snapshot,
    );
    expect(seen).toEqual([["card"]]);
    expect(storedOf(made)).toEqual({
      value: "open",
      context: {},
      tags: ["editable"],
      children: { card: snapshot.children.card },
      timers: { 3: { at: 9, event: { type: "LATER", by: { "~": "bigint", v: "1" } } } },
      n: 5,
    });
    expect(made.migrated?.work).toEqual([{ kind: "stop", to: { type: "order", id: "42/~mail" }, n: 1 }]);
  });

  test("gets the delays of the state that it is in now", () => {
    const made = used({ "1->3": () => ({ value: "waiting", context: {} }) });
    expect(made.migrated?.work).toEqual([{ kind: "timer", timer: "0", atMs: 1060 }]);
    expect(Object.keys(storedOf(made).timers ?? {})).toEqual(["0"]);
  });

  test("is also brought along when it has ended", () => {
    const end = (state: StateToMigrate) => ({ ...state, value: "paid" });
    const made = used({ "1->3": end }, { output: { sum: 1 } }, { status: "done" });
    expect(driver.view(made.state)).toEqual({ status: "done", value: "paid" });
    expect(storedOf(made).output).toEqual({ sum: 1 });
  });

  test("that waits to be begun again keeps waiting, whatever the migration leaves out", () => {
    const waiting = {
      n: 7,
      restart: { input: 5, series: { count: 1, since: 0, delayMs: 9 }, timer: "6" },
      timers: { 6: { at: 9, event: { type: "statewright.restart" } } },
    };
    const seen: string[][] = [];
    const made = used(
      {
        "1->3": ({ timers }: StateToMigrate) => {
          seen.push(Object.keys(timers));
          return { value: "open", context: {}, timers: {} };
        },
      },
      waiting,
      { status: "error" },
    );
    expect(seen).toEqual([[]]);
    expect(storedOf(made)).toMatchObject(waiting);
    expect(driver.restartTimer(made.state)?.timer).toBe("6");
  });

  test("had no version, when its machine had none", () => {
    const made = used(
      { "none->3": () => ({ value: "open", context: {} }) },
      {},
      { machine: { version: undefined as never } },
    );
    expect(made.migrated?.from).toBe("none");
  });

  test("goes on as it is when it fits and nothing leads from it", () => {
    const made = used({ "2->3": keep }, { value: "open" });
    expect(made.migrated).toBeUndefined();
    expect(driver.view(made.state).value).toBe("open");
  });
});

describe("a state of the same version", () => {
  test("is used as it is, whatever the fingerprint", () => {
    const made = used({ "1->3": keep }, { value: "open" }, { machine: { version: "3" } });
    expect(made.migrated).toBeUndefined();
  });

  test("is refused when it does not fit", () => {
    expect(() => used({}, {}, { machine: { version: "3" } })).toThrow('state "order" has no state "draft" any more');
  });
});

describe("a state that cannot be brought along is refused, naming actor, versions and reason:", () => {
  const step = (make: (state: StateToMigrate) => unknown) => ({ "1->2": keep, "2->3": make });
  const timers = { 3: { at: 9, event: { type: "LATE" } } } as const;

  test.each<[string, (state: StateToMigrate) => unknown, string]>([
    [
      "the migration throws",
      () => (null as never as { a: { b: 1 } }).a.b,
      'migration "2->3" failed: TypeError: Cannot read',
    ],
    ["it returns a function", () => keep, 'migration "2->3" returned a function: return { value, context }.'],
    ["it returns nothing", () => undefined, 'migration "2->3" returned undefined: return { value, context }.'],
    [
      "it returns a promise",
      async () => ({}),
      'migration "2->3" returned a promise: it must return the state at once.',
    ],
    ["a promise that fails", () => Promise.reject(new Error("x")), "returned a promise"],
    ["it leaves the value out", () => ({ context: {} }), 'migration "2->3" returned no value'],
    [
      "it leaves the context out",
      () => ({ value: "open" }),
      "returned undefined as the context: it must be an object.",
    ],
    [
      "it misspells",
      () => ({ value: "open", context: {}, historie: {} }),
      'returned a "historie", which no state has: did you mean "history"?',
    ],
    [
      "its history is none",
      () => ({ value: "open", context: {}, history: { a: "b" } }),
      'returned "b" as the history of "a": use ids of states.',
    ],
    [
      "it adds a child",
      () => ({ value: "open", context: {}, children: { x: {} } }),
      'returned children with "x", which the actor does not have',
    ],
    [
      "it adds a timer",
      () => ({ value: "open", context: {}, timers: { 7: {} } }),
      'returned timers with "7", which the actor does not have',
    ],
    [
      "it moves a timer",
      () => ({ value: "open", context: {}, timers: { 3: { at: 10, event: { type: "X" } } } }),
      "changed when timer 3 is due: only its event may be changed.",
    ],
    [
      "it takes the event from a timer",
      () => ({ value: "open", context: {}, timers: { 3: { at: 9 } } }),
      'returned undefined as the event of timer 3: use an object with a "type".',
    ],
    [
      "it keeps what cannot be stored",
      () => ({ value: "open", context: { f: () => {} } }),
      "made what cannot be kept. Cannot store context.f: it is a function",
    ],
    [
      "a delay of its state cannot be set",
      () => ({ value: "stuck", context: {} }),
      "beginning what its states wait for failed: Error: no such delay.",
    ],
    [
      "it does not fit the machine",
      () => ({ value: "closed", context: {} }),
      'what the migration made does not fit the machine. Cannot restore a state of machine "order" at "closed": state "order" has no state "closed" any more.',
    ],
  ])("%s", (_, make, words) => {
    let error: unknown;
    try {
      used(step(make), { timers });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(MigrationError);
    expect((error as Error).message).toContain("Cannot bring order/42 from version 1 to version 3: ");
    expect((error as Error).message).toContain(words);
    expect((error as MigrationError).details).toMatchObject({ actor: "order/42", from: "1", to: "3" });
  });

  test("nothing leads from it, and it does not fit", () => {
    expect(() => used({ "2->3": keep })).toThrow(
      'Cannot bring order/42 from version 1 to version 3: there is no migration that leads from one to the other, and as it is the state does not fit. Cannot restore a state of machine "order" at "draft": state "order" has no state "draft" any more. Give the definition migrate: { "1->3": … }.',
    );
  });

  test("its version replaces the machine's, even if it fits", () => {
    const newer = { machine: { version: "4", supersedes: ["3", "2"] } };
    expect(() => used({}, { value: "open" }, newer)).toThrow(
      "Cannot use the state of order/42: it is of version 4, which replaces version 3 that this node runs. A node with version 4 goes on with it; to go back, give this machine a new version and a migration that leads to it from version 4.",
    );
    expect(used({ "4->3": keep }, { value: "open" }, newer).migrated?.from).toBe("4");
  });
});
