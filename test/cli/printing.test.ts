import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { UntypedEvent } from "../../actors/client.ts";
import type { DeadLetter } from "../../actors/dead-letters.ts";
import type { HistoryEntry } from "../../actors/view.ts";
import { ActorView } from "../../actors/view.ts";
import { fullLetterKind, letterKind, letterKindOf } from "../../cli/commands/dead-letters.ts";
import { emittedKind, printEvents } from "../../cli/commands/events.ts";
import { historyKindOf } from "../../cli/commands/history.ts";
import { answerKind, stateKind } from "../../cli/commands/state-view.ts";
import { type Kind, ListPrinter, type OutputFormat, printItem, printList } from "../../cli/printer.ts";
import { shownState, toPlain } from "../../cli/shown-values.ts";
import { cut, openTerminal, printable, widthOf } from "../../cli/terminal.ts";
import { documentsIn, fakeTerminal } from "./arrange.ts";

interface Fruit {
  readonly name: string;
  readonly about: string;
  readonly origin: string;
}

const fruits: readonly Fruit[] = [
  { name: "fig", about: "sweet, soft, and full of seeds", origin: "Asia" },
  { name: "pomelo", about: "large", origin: "Malaysia" },
];

const fruitKind: Kind<Fruit> = {
  id: ({ name }) => name,
  json: (fruit) => fruit,
  columns: [
    { header: "name", cell: ({ name }) => name },
    { header: "about", cell: ({ about }) => about, isFlexible: true },
    { header: "origin", cell: ({ origin }) => origin, isMinor: true },
  ],
};

describe("a list", () => {
  const printed = (format: "table" | "json" | "ids", items = fruits, width?: number) => {
    const out = fakeTerminal(width === undefined ? {} : { width });
    printList(out, format, fruitKind, items);
    return out.lines();
  };

  test("is a table of aligned columns, not cut where there is no terminal", () => {
    expect(printed("table")).toEqual([
      "NAME    ABOUT                           ORIGIN",
      "fig     sweet, soft, and full of seeds  Asia",
      "pomelo  large                           Malaysia",
    ]);
  });

  test("is one JSON document a line", () => {
    expect(documentsIn(`${printed("json").join("\n")}\n`)).toEqual(fruits);
  });

  test("is one id a line", () => {
    expect(printed("ids")).toEqual(["fig", "pomelo"]);
  });

  test("that goes on keeps its columns, and cuts later rows only where the terminal ends", () => {
    const printLater = (width?: number) => {
      const out = fakeTerminal(width === undefined ? {} : { width });
      const printer = new ListPrinter(out, "table", fruitKind);
      for (const fruit of fruits.toReversed()) printer.print([fruit]);
      return out.lines();
    };
    expect(printLater()).toEqual([
      "NAME    ABOUT  ORIGIN",
      "pomelo  large  Malaysia",
      "fig     sweet, soft, and full of seeds  Asia",
    ]);
    expect(printLater(30)).toEqual(["NAME    ABOUT  ORIGIN", "pomelo  large  Malaysia", "fig     swee…  Asia"]);
  });

  test("is nothing at all when it is empty", () => {
    for (const format of ["table", "json", "ids"] as const) expect(printed(format, [])).toEqual([]);
  });

  test("leaves minor columns out and cuts flexible ones to fit a terminal", () => {
    expect(printed("table", fruits, 44)).toEqual(
      [
        "NAME    ABOUT                       ORIGIN",
        "fig     sweet, soft, and full of …  Asia",
        "pomelo  large                       Malaysia",
      ].map((line) => line),
    );
    expect(printed("table", fruits, 30)).toEqual(["NAME    ABOUT", "fig     sweet, soft, and full…", "pomelo  large"]);
  });

  test("is never wider than the terminal", () => {
    const texts = fc.string({ unit: "grapheme", maxLength: 40 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ name: texts, about: texts, origin: texts }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 120 }),
        (items, width) => {
          for (const line of printed("table", items, width)) expect(widthOf(line)).toBeLessThanOrEqual(width);
        },
      ),
    );
  });

  test("keeps its columns when rows are added later, and has one header", () => {
    const out = fakeTerminal();
    const printer = new ListPrinter(out, "table", fruitKind);
    printer.print(fruits.slice(0, 1));
    printer.print([]);
    printer.print(fruits.slice(1));
    expect(out.lines()).toEqual([
      "NAME  ABOUT                           ORIGIN",
      "fig   sweet, soft, and full of seeds  Asia",
      "pomelo  large                           Malaysia",
    ]);
  });
});

describe("text", () => {
  test("of others cannot control the terminal", () => {
    expect(printable("a\u001b[31mb\u009bc\nd\u202ee")).toBe("a\\u001b[31mb\\u009bc\\nd\\u202ee");
    const out = fakeTerminal();
    printList(out, "table", fruitKind, [{ name: "\u001b]0;x\u0007", about: "\n", origin: "\t" }]);
    printList(out, "ids", fruitKind, [{ name: "a\nb", about: "", origin: "" }]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(out.text()).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(out.lines()).toHaveLength(3);
  });

  test("is measured in columns, and cut between characters", () => {
    expect(["abc", "日本", "é", "👩‍👩‍👧", ""].map(widthOf)).toEqual([3, 4, 1, 2, 0]);
    expect(cut("日本語", 5)).toBe("日本…");
    expect(cut("abc", 3)).toBe("abc");
    expect(cut("abcd", 3)).toBe("ab…");
  });

  test("has colours on a terminal only, and not with NO_COLOR", () => {
    const stream = { write: () => true, isTTY: true, columns: 90 };
    expect(openTerminal(stream, {})).toMatchObject({ width: 90, hasColour: true });
    expect(openTerminal(stream, { NO_COLOR: "1" })).toMatchObject({ width: 90, hasColour: false });
    expect(openTerminal(stream, { TERM: "dumb" }).hasColour).toBe(false);
    expect(openTerminal({ write: () => true }, {})).toMatchObject({ width: undefined, hasColour: false });
  });
});

describe("values", () => {
  test("become plain JSON", () => {
    const value = {
      date: new Date(0),
      map: new Map([["a", 1n]]),
      pairs: new Map([[1, "x"]]),
      set: new Set([1]),
      bytes: Uint8Array.of(1, 2),
      url: new URL("https://example.com/"),
      nan: Number.NaN,
      error: new TypeError("no", { cause: "why" }),
      nothing: undefined,
      list: [undefined, 1],
    };
    expect(toPlain(value)).toEqual({
      date: "1970-01-01T00:00:00.000Z",
      map: { a: "1" },
      pairs: [[1, "x"]],
      set: [1],
      bytes: "AQI=",
      url: "https://example.com/",
      nan: "NaN",
      error: { name: "TypeError", message: "no", cause: "why" },
      list: [null, 1],
    });
  });

  test("of any kind can be written as JSON, and plain ones stay as they are", () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }), (value) => {
        JSON.stringify(toPlain(value));
      }),
    );
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.stringify(toPlain(value))).toBe(JSON.stringify(value));
      }),
    );
  });

  test("show states as paths", () => {
    expect(["open", { paid: "shipping" }, { a: { b: "c" }, d: "e" }, { a: {} }, undefined].map(shownState)).toEqual([
      "open",
      "paid.shipping",
      "a.b.c, d.e",
      "a",
      "-",
    ]);
  });
});

const view = new ActorView({
  address: { type: "order", id: "1/2" },
  revision: 7,
  status: "active",
  snapshot: {
    value: { paid: "shipping" },
    context: { when: { "~": "date", v: "2024-01-01T00:00:00.000Z" } },
    tags: ["busy"],
  },
  at: Date.UTC(2024, 0, 2),
});

describe("a state", () => {
  test("is told line by line", () => {
    const out = fakeTerminal();
    printItem(out, "table", stateKind, view);
    expect(out.lines()).toEqual([
      "actor     order/1/2",
      "status    active",
      "value     paid.shipping",
      'context   {"when":"2024-01-01T00:00:00.000Z"}',
      "tags      busy",
      "revision  7",
      "when      2024-01-02T00:00:00.000Z",
    ]);
  });

  test("says what keeps its actor from taking messages, and how many wait", () => {
    const out = fakeTerminal({ width: 300 });
    const { address, revision, at } = view;
    const fields = { address, revision, status: "active" as const, snapshot: { value: "a", context: {} }, at };
    const parked = new ActorView({
      ...fields,
      waiting: { from: 3, next: 8, gone: [4], parked: { letter: "i5", at: 1000 }, restart: { timer: "1", at: 3000 } },
    });
    const held = new ActorView({
      ...fields,
      waiting: {
        from: 6,
        next: 9,
        retries: { 4: { at: 9000, attempt: 2 }, 6: { at: 2000, attempt: 3, hold: true } },
      },
    });
    const one = new ActorView({ ...fields, waiting: { from: 6, next: 7 } });
    for (const each of [parked, held, one]) printItem(out, "table", stateKind, each);
    expect(out.lines().filter((line) => /^(parked|restart|waiting)/.test(line))).toEqual([
      "parked    by dead letter i5 since 1970-01-01T00:00:01.000Z: takes no message until it is redriven or dropped, or the actor is released",
      "restart   at 1970-01-01T00:00:03.000Z: takes no message before",
      "waiting   4 messages in line",
      "waiting   2 messages to be tried again, the next at 1970-01-01T00:00:02.000Z (attempt 3), and nothing else before; 2 in line",
      "waiting   1 message in line",
    ]);
    const json = fakeTerminal();
    printItem(json, "json", stateKind, held);
    expect(JSON.parse(json.text())).toMatchObject({
      waiting: 4,
      retries: [
        { at: "1970-01-01T00:00:02.000Z", attempt: 3, holds: true },
        { at: "1970-01-01T00:00:09.000Z", attempt: 2, holds: false },
      ],
    });
  });

  test("is a JSON document, or an address", () => {
    const out = fakeTerminal();
    printItem(out, "json", stateKind, view);
    printItem(out, "ids", stateKind, view);
    expect(JSON.parse(out.lines()[0] as string)).toEqual({
      actor: "order/1/2",
      status: "active",
      value: { paid: "shipping" },
      context: { when: "2024-01-01T00:00:00.000Z" },
      tags: ["busy"],
      revision: 7,
      at: "2024-01-02T00:00:00.000Z",
    });
    expect(out.lines()[1]).toBe("order/1/2");
  });

  test("takes several lines when its context does not fit one", () => {
    const long = new ActorView({
      address: view.address,
      revision: 1,
      status: "active",
      snapshot: { value: "a", context: { text: "x".repeat(200) } },
      at: 0,
    });
    const out = fakeTerminal({ width: 60 });
    printItem(out, "table", stateKind, long);
    expect(out.lines()).toContain("context   {");
    expect(out.lines()).toContain("          }");
  });

  test("says when it is a later one than the message's", () => {
    const out = fakeTerminal();
    const result = {
      outcome: "applied",
      revision: 3,
      view,
      reply: { ok: true },
      duplicate: true,
      message: "m1",
    } as const;
    printItem(out, "table", answerKind, { actor: "order/1/2", result });
    expect(out.text()).toContain("applied (by an earlier message with this key)");
    expect(out.text()).toContain('reply     {"ok":true}');
    expect(out.text()).toContain("7 (the message was revision 3");
  });
});

const letter: DeadLetter = {
  letter: "i5",
  to: { type: "order", id: "1" },
  reason: "attempts",
  explanation: "All 2 attempts failed.",
  fingerprint: "0123456789ab",
  event: "PAY",
  message: "m1",
  attemptCount: 2,
  at: 2000,
  firstAt: 2000,
  parks: false,
  isEdited: false,
  redrives: 1,
  status: "dead",
  note: undefined,
  kind: "event",
  payload: { type: "PAY", amount: 3 },
  originalPayload: undefined,
  history: [],
  key: "k",
  from: undefined,
  sentAt: 0,
  attempts: [
    { at: 0, node: "a", error: { name: "Error", message: "first" } },
    {
      at: 1000,
      node: "b",
      error: { name: "TypeError", message: "second", code: "E1", cause: { name: "Error", message: "below" } },
    },
  ],
  source: { stream: "ingress", seq: 5, subject: "s" },
  state: { revision: 3, value: "open" },
  raw: undefined,
};

describe("a dead letter", () => {
  test("is told with every attempt and its causes", () => {
    const out = fakeTerminal();
    printItem(out, "table", fullLetterKind, letter);
    expect(out.lines().map((line) => line.trimEnd())).toEqual([
      "letter        i5",
      "actor         order/1",
      "reason        attempts",
      "explanation   All 2 attempts failed.",
      "group         0123456789ab",
      "status        dead (redriven once)",
      "died          1970-01-01T00:00:02.000Z",
      "event         PAY",
      'payload       {"type":"PAY","amount":3}',
      "message       m1",
      "key           k",
      "sent          1970-01-01T00:00:00.000Z",
      "state before  open at revision 3",
      "source        ingress 5",
      "attempts      2",
      "              1970-01-01T00:00:00.000Z on a",
      "                Error: first",
      "              1970-01-01T00:00:01.000Z on b",
      "                TypeError (E1): second",
      "                  caused by Error: below",
    ]);
  });

  test("shows its bytes when they are no message", () => {
    const out = fakeTerminal();
    const raw = Buffer.from('{"broken\u001b');
    printItem(out, "table", fullLetterKind, { ...letter, event: undefined, payload: undefined, raw });
    expect(out.text()).toContain('bytes         {"broken\\u001b');
    expect(out.text()).toContain("event         unreadable");
  });

  test("has its times as text in JSON", () => {
    const out = fakeTerminal();
    printItem(out, "json", fullLetterKind, letter);
    printList(out, "json", letterKind, [letter]);
    for (const document of documentsIn(out.text()))
      expect(document).toMatchObject({ letter: "i5", to: "order/1", at: "1970-01-01T00:00:02.000Z" });
  });
});

test("a list of letters says which ones park their actors, where one does", () => {
  const headers = (...letters: DeadLetter[]) => letterKindOf(letters).columns.map(({ header }) => header);
  const closed = { ...letter, parks: true, status: "redriven" as const };
  expect(headers(letter, closed)).not.toContain("parked");
  const letters = [letter, { ...letter, parks: true }, closed];
  expect(headers(...letters)).toContain("parked");
  const column = letterKindOf(letters).columns.find(({ header }) => header === "parked");
  expect(letters.map((each) => column?.cell(each))).toEqual(["-", "yes", "-"]);
});

test("a history names the reason of what died, and says which attempt failed of what and when the next one is", () => {
  const base = { message: "m1", event: "", from: undefined, to: undefined, at: 0, by: undefined };
  const dead = { ...base, revision: 1, outcome: "dead", letter: "i1", reason: "malformed" } as const;
  const failure = { attempt: 2, error: "No stock.", retryAt: 5000 };
  const failed = { ...base, revision: 2, event: "PAY", outcome: "failed", failure } as const;
  const waiting = { ...base, revision: 3, event: "PAY", outcome: "waiting" } as const;
  const lines = (...entries: HistoryEntry[]) => {
    const out = fakeTerminal();
    printList(out, "table", historyKindOf(entries), entries);
    return out.lines().slice(1);
  };
  expect(lines(dead)).toEqual([
    "1         1970-01-01T00:00:00.000Z  -      dead (malformed)  -     -   i1      -   m1",
  ]);
  expect(lines(failed, waiting)).toEqual([
    "2         1970-01-01T00:00:00.000Z  PAY    failed (attempt 2)  -     -   No stock.  1970-01-01T00:00:05.000Z  -   m1",
    expect.stringMatching(/ PAY +waiting +- +- +- +m1$/),
  ]);
  const json = fakeTerminal();
  printList(json, "json", historyKindOf([failed]), [failed]);
  expect(JSON.parse(json.text())).toMatchObject({ failure: { ...failure, retryAt: "1970-01-01T00:00:05.000Z" } });
});

describe("emitted events", () => {
  const emitted = (seq: number, event: UntypedEvent) => ({ id: `c${seq}-0`, seq, at: 0, event });
  const all = [
    emitted(7, { type: "PAID", amount: 12n, on: new Date(0) }),
    emitted(12_345_678_901, { type: "SHIPPED", note: "left at the door, behind the blue bin" }),
  ];
  const print = async (format: OutputFormat, count?: number, width?: number) => {
    const out = fakeTerminal(width === undefined ? {} : { width });
    const client = {
      emitted: async function* () {
        yield* all;
      },
    };
    const flags = { output: format, from: "start", ...(count === undefined ? {} : { count }) } as const;
    await printEvents(client, "order/42", flags, { out }, new AbortController().signal);
    return out.lines();
  };

  test("are printed one by one, whole where there is no terminal", async () => {
    expect(await print("table")).toEqual([
      "SEQ        WHEN                      EVENT",
      '7          1970-01-01T00:00:00.000Z  {"type":"PAID","amount":"12","on":"1970-01-01T00:00:00.000Z"}',
      '12345678901  1970-01-01T00:00:00.000Z  {"type":"SHIPPED","note":"left at the door, behind the blue bin"}',
    ]);
    expect(await print("table", undefined, 60)).toEqual([
      "SEQ        EVENT",
      '7          {"type":"PAID","amount":"12","on":"1970-01-01T00…',
      '12345678…  {"type":"SHIPPED","note":"left at the door, behi…',
    ]);
  });

  test("are JSON documents or ids, and no more than asked for", async () => {
    expect(await print("ids")).toEqual(["c7-0", "c12345678901-0"]);
    expect(documentsIn(`${(await print("json", 1)).join("\n")}\n`)).toEqual([
      {
        id: "c7-0",
        seq: 7,
        at: "1970-01-01T00:00:00.000Z",
        event: { type: "PAID", amount: "12", on: "1970-01-01T00:00:00.000Z" },
      },
    ]);
    expect(emittedKind.columns.map(({ header }) => header)).toEqual(["seq", "when", "event"]);
  });

  test("end without an error with their signal, and with one for anything else", async () => {
    const abort = new AbortController();
    const failing = {
      emitted: async function* () {
        yield all[0];
        throw new Error("the space is gone");
      },
    } as never;
    const io = { out: fakeTerminal() };
    const printing = printEvents(failing, "order/42", { output: "ids", from: "new" }, io, abort.signal);
    await expect(printing).rejects.toThrow("the space is gone");
    abort.abort();
    await printEvents(failing, "order/42", { output: "ids", from: "new" }, io, abort.signal);
    expect(io.out.lines()).toEqual(["c7-0", "c7-0"]);
  });
});
