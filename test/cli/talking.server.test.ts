import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StatewrightNode, startNode } from "../../actors/start-node.ts";
import { partitionOf } from "../../runtime/core/address.ts";
import { cloudEvent, eventSource } from "../../runtime/core/cloud-events.ts";
import { Subjects } from "../../runtime/core/subjects.ts";
import { type JetStreamLog, openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { eventually } from "../contract/eventually.ts";
import { documentsIn, type Ended, runCli, startCli } from "./arrange.ts";
import actors from "./fixtures/actors.ts";

let server: EmbeddedServer;
let node: StatewrightNode;

beforeAll(async () => {
  server = await startEmbeddedServer();
  node = await startNode({ servers: server.url, actors, partitions: 4, assumeSyncAlways: true, onEvent: () => {} });
});
afterAll(async () => {
  await node?.stop();
  await server?.stop("kill");
});

function cli(args: readonly string[], stdin?: string): Promise<Ended> {
  return runCli(args, { env: { STATEWRIGHT_NATS: server.url }, ...(stdin === undefined ? {} : { stdin }) });
}

/** Runs a command that must succeed and print JSON. */
async function documents(args: readonly string[], stdin?: string): Promise<Array<Record<string, unknown>>> {
  const { code, out, err } = await cli([...args, "-o", "json"], stdin);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return documentsIn(out);
}

describe("an actor", () => {
  test("is sent to, asked, shown, and has a history, in all formats", async () => {
    const [first] = await documents(["send", "counter/a", "ADD", "--data", '{"by":2}', "--key", "k1"]);
    const [again] = await documents(["send", "counter/a", '{"type":"ADD","by":2}', "--key", "k1"]);
    expect(first).toMatchObject({ actor: "counter/a", event: "ADD", duplicate: false });
    expect(again).toMatchObject({ message: first?.message, duplicate: true });

    const [answer] = await documents(["ask", "counter/a", "READ"]);
    const [[shown], asTable, asId, history, newest, ids] = await Promise.all([
      documents(["show", "counter/a"]),
      cli(["show", "counter/a"]),
      cli(["show", "counter/a", "-o", "ids"]),
      documents(["history", "counter/a"]),
      cli(["history", "counter/a", "--last", "1"]),
      cli(["history", "counter/a", "-o", "ids"]),
    ]);
    expect(answer).toMatchObject({
      actor: "counter/a",
      outcome: "applied",
      reply: { count: 2 },
      view: { value: "counting", context: { count: 2 }, tags: ["open"] },
    });
    expect(shown).toMatchObject({ actor: "counter/a", status: "active", context: { count: 2 } });
    expect(shown?.at).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);

    expect(asTable.out).toContain('context   {"count":2}\n');
    expect(asId.out).toBe("counter/a\n");

    expect(history.map(({ event, outcome, by }) => [event, outcome, by])).toContainEqual(["ADD", "applied", "cli"]);
    expect(newest.out).toMatch(/^REVISION .*\n\d+ .* READ .*\n$/);
    expect(ids.out.split("\n")).toContain(first?.message);
  });

  test("is sent the lines of standard input, once for a key", async () => {
    const lines = '{"type":"INC"}\n\n{"type":"ADD","by":4}\n{"type":"INC"}';
    const sent = await documents(["send", "counter/lines", "--lines", "--key", "import"], lines);
    expect(sent.map(({ line, duplicate }) => [line, duplicate])).toEqual([
      [1, false],
      [3, false],
      [4, false],
    ]);
    const again = await cli(["send", "counter/lines", "--lines", "--key", "import", "-o", "ids"], lines);
    expect(again.out.split("\n").slice(0, 3)).toEqual(sent.map(({ message }) => message));
    const [answer] = await documents(["ask", "counter/lines", "-"], '{"type":"READ"}');
    expect(answer?.reply).toEqual({ count: 6 });
  });

  test("gets none of the lines after one that is refused", async () => {
    const { code, out, err } = await cli(
      ["send", "counter/half", "--lines", "-o", "json"],
      '{"type":"INC"}\nbroken\n{"type":"INC"}\n',
    );
    expect(code).toBe(2);
    expect(documentsIn(out).map(({ line }) => line)).toEqual([1]);
    expect(err).toContain("Line 2: Cannot read the event as JSON");
  });

  test("is created once; a second time is a conflict, unless it may be there", async () => {
    const [made] = await documents(["create", "order/1", '{"customer":"Ada"}']);
    expect(made).toMatchObject({ outcome: "created", created: true, view: { value: "open" } });
    const second = await cli(["create", "order/1", '{"customer":"Bob"}', "-o", "json"]);
    expect(second.code).toBe(5);
    expect(JSON.parse(second.err).error).toMatchObject({ tag: "ConflictError", details: { actor: "order/1" } });
    const [found] = await documents(["create", "order/1", '{"customer":"Bob"}', "--if-missing"]);
    expect(found).toMatchObject({ created: false, view: { context: { customer: "Ada" } } });
  });
});

describe("what an actor emits", () => {
  const by = { type: "counter", id: "loud" };
  let log: JetStreamLog;

  beforeAll(async () => {
    log = await openJetStreamLog({ servers: server.url, space: "default", createSpace: false, assumeSyncAlways: true });
  });
  afterAll(() => log?.close());

  /** Commits an event as a node would. */
  async function emit(id: string, type: string): Promise<void> {
    const subject = new Subjects("default").emitted(partitionOf(by, 4), by, type, id);
    const event = cloudEvent(id, eventSource("default", by), type, Date.now(), JSON.stringify({ type, id }));
    expect(await log.log.append("core", [{ subject, ...event }])).toMatchObject({ _tag: "Appended" });
  }

  test("is printed as it comes, until there is as much as was asked for", async () => {
    await emit("e1", "COUNTED");
    await emit("e2", "STOPPED");
    await emit("e3", "COUNTED");
    const [kept, [first, second], behind] = await Promise.all([
      cli(["events", "counter/loud", "--from", "start", "--count", "3", "-o", "ids"]),
      documents(["events", "counter/loud", "--type", "COUNTED", "--from", "start", "-n", "2"]),
      documents(["events", "counter/loud", "--from", "start", "-n", "1"]),
    ]);
    expect(kept).toMatchObject({ code: 0, out: "e1\ne2\ne3\n", err: "" });
    expect(first).toMatchObject({ id: "e1", event: { type: "COUNTED", id: "e1" } });
    expect(second).toMatchObject({ id: "e3" });
    const after = await documents(["events", "counter/loud", "--from", String(behind[0]?.seq), "-n", "1"]);
    expect(after).toMatchObject([{ id: "e2" }]);
  });

  test.each(["SIGINT", "SIGTERM"] as const)("is printed until %s", async (signal) => {
    const listening = startCli(["events", "counter/loud", "--type", signal, "-o", "ids"], {
      env: { STATEWRIGHT_NATS: server.url },
    });
    // It listens for new events from some moment on.
    let sent = 0;
    await eventually(async () => {
      await emit(`${signal}-${++sent}`, signal);
      expect(listening.out()).not.toBe("");
    });
    listening.child.kill(signal);
    const ended = await listening.ended;
    expect(ended).toMatchObject({ code: 0, err: "" });
    expect(ended.out).toMatch(new RegExp(`^(${signal}-\\d+\n)+$`));
  });
});

test("types are listed", async () => {
  expect((await cli(["types", "-o", "ids"])).out).toBe("counter\norder\n");
  const [counter, order] = await documents(["types"]);
  expect(counter).toMatchObject({ events: ["INC", "ADD", "READ", "BREAK", "END"], needsCreate: false });
  expect(order).toMatchObject({ events: null, needsCreate: true });
});

test("dead letters are listed, shown, redriven and dropped", async () => {
  const asked = await cli(["ask", "counter/dead", "BREAK", "-o", "json"]);
  expect(asked.code).toBe(1);
  const { error } = JSON.parse(asked.err) as { error: { tag: string; details: { letter: string } } };
  expect(error.tag).toBe("DeadLetteredError");
  const { letter } = error.details;
  await documents(["send", "order/none", "PAY"]);
  const early = await eventually(async () => {
    const [found] = await node.client.deadLetters.list({ type: "order", id: "none" });
    expect(found).toBeDefined();
    return found?.letter as string;
  });

  const [ids, [listed, ...others], table, full, planned] = await Promise.all([
    cli(["dlq", "ls", "-o", "ids"]),
    documents(["dlq", "ls", "--type", "counter", "--id", "dead"]),
    cli(["dlq", "ls", "--reason", "not-created"]),
    cli(["dlq", "show", "-"], `${letter}\n`),
    cli(["dlq", "redrive", "--all", "--type", "counter", "--dry-run", "-o", "ids"]),
  ]);
  expect(ids.out.split("\n")).toEqual(expect.arrayContaining([letter, early]));
  expect(others).toEqual([]);
  expect(listed).toMatchObject({ letter, to: "counter/dead", reason: "terminal", event: "BREAK", status: "dead" });
  expect(table.out).toMatch(/^LETTER .*EXPLANATION\n.* order\/none .*\n$/);

  expect(full.out).toContain("TerminalError: It cannot be broken.");
  expect(full.out).toContain("caused by Error: the reason below");
  expect(full.out).toContain('payload       {"type":"BREAK"}');

  expect(planned).toMatchObject({ code: 0, out: `${letter}\n` });
  expect(planned.err).toBe("Dry run: 1 letter would be redriven. Nothing was changed.\n");

  const [redriven] = await documents(["dlq", "redrive", letter]);
  expect(redriven).toEqual({ letter, to: "counter/dead", redriven: true, redrives: 1 });
  await eventually(async () => {
    expect(await node.client.deadLetters.get(letter)).toMatchObject({ status: "dead", attemptCount: 2 });
  });
  const [all] = await documents(["dlq", "redrive", "--all", "--type", "order"]);
  expect(all).toEqual({ total: 1, redriven: 1, skipped: 0, refused: [] });

  const dropped = await cli(["dlq", "drop", letter, "nope", "--note", "test"]);
  expect(dropped).toMatchObject({
    code: 4,
    out: expect.stringMatching(new RegExp(`^LETTER .*\n${letter} +dropped\n$`)),
  });
  expect(dropped.err).toContain('Cannot find dead letter "nope"');
  const [again, none, [closed]] = await Promise.all([
    cli(["dlq", "redrive", letter]),
    cli(["dlq", "ls", "--type", "counter"]),
    documents(["dlq", "ls", "--type", "counter", "--closed"]),
  ]);
  expect(again.code).toBe(4);
  expect(none).toMatchObject({ code: 0, out: "", err: "No dead letters that match.\n" });
  expect(closed).toMatchObject({ letter, status: "dropped", note: "test" });
});

test("dead letters are filtered, grouped, previewed, edited, exported and imported", async () => {
  const asked = await cli(["ask", "counter/sick", "BREAK", "-o", "json"]);
  const { letter } = (JSON.parse(asked.err) as { error: { details: { letter: string } } }).error.details;
  const [listed, groups, preview, refusedEdit, exported] = await Promise.all([
    cli(["dlq", "ls", "type:counter", "id:sick", "-event:INC", "cannot be broken", "-o", "ids"]),
    documents(["dlq", "groups", "id:sick"]),
    cli(["dlq", "preview", letter]),
    cli(["dlq", "edit", letter, '{"type":"INC"}']),
    cli(["dlq", "export", `letter:${letter}`]),
  ]);
  expect(listed.out).toBe(`${letter}\n`);
  expect(groups).toMatchObject([{ count: 1, reason: "terminal", letter, types: { counter: 1 }, events: { BREAK: 1 } }]);
  expect(preview).toMatchObject({
    code: 1,
    out: expect.stringContaining("fails with TerminalError: It cannot be broken."),
  });
  expect(refusedEdit).toMatchObject({ code: 2, err: expect.stringContaining('its event is "BREAK", and stays so') });
  expect(exported).toMatchObject({ code: 0, err: "1 letter exported.\n" });

  const [edited] = await documents(["dlq", "edit", letter, '{"why":"test"}', "--note", "n", "--no-check"]);
  expect(edited).toEqual({ letter, edited: true });
  const [shown, imported, many, released] = await Promise.all([
    cli(["dlq", "show", letter, "--stack"]),
    cli(["dlq", "import", "-"], `${exported.out}\n{oops\n`),
    documents(["dlq", "redrive", "--all", "id:sick", "--rate", "50"]),
    cli(["dlq", "release", "counter/sick"]),
  ]);
  expect(shown.out).toMatch(/payload +\{"type":"BREAK","why":"test"\}\nas it came +\{"type":"BREAK"\}\n/);
  expect(shown.out).toMatch(/history +.* edited by cli: n\n/);
  expect(shown.out).toMatch(/\n +at /);
  expect(imported).toMatchObject({
    code: 1,
    out: "Imported: 0 added, 1 had been there before, 1 refused.\n",
    err: expect.stringMatching(/^line 3: it is not JSON/),
  });
  expect(many).toEqual([{ total: 1, redriven: 1, skipped: 0, refused: [] }]);
  expect(released).toMatchObject({ code: 0, out: expect.stringMatching(/\ncounter\/sick +- +is not parked\n$/) });
  await eventually(async () => {
    expect(await node.client.deadLetters.get(letter)).toMatchObject({ status: "dead", redrives: 1, isEdited: true });
  });
  const [elsewhere] = await documents(["dlq", "redrive", letter, "--to", "counter/well"]);
  expect(elsewhere).toMatchObject({ to: "counter/well", redriven: true });
  await eventually(async () => {
    expect(await node.client.deadLetters.list({ letter })).toMatchObject([{ to: { id: "well" }, redrives: 2 }]);
  });
  // Whoever names a letter may go on for ever, and is told.
  expect((await cli(["dlq", "redrive", letter])).out).toMatch(/ counter\/well +redriven, 3 times in all\n$/);
  expect(await documents(["dlq", "drop", "--all", `letter:${letter}`])).toMatchObject([{ total: 1, dropped: 1 }]);
});

test("an editor changes what a letter carries", async () => {
  const asked = await cli(["ask", "counter/edited", "BREAK", "-d", '{"why":"before"}', "-o", "json"]);
  const { letter } = (JSON.parse(asked.err) as { error: { details: { letter: string } } }).error.details;
  const env = { STATEWRIGHT_NATS: server.url, VISUAL: "", EDITOR: "sed -i s/before/after/" };
  const edited = await runCli(["dlq", "edit", letter, "--editor", "--no-check"], { env });
  expect(edited).toMatchObject({ code: 0 });
  expect((await node.client.deadLetters.get(letter)).payload).toEqual({ type: "BREAK", why: "after" });
  const failing = await runCli(["dlq", "edit", letter, "--editor"], { env: { ...env, EDITOR: "false" } });
  expect(failing).toMatchObject({ code: 2, err: expect.stringContaining('the editor "false" ended with code 1') });
  await node.client.deadLetters.drop(letter);
});

test.concurrent.each([
  ["an actor that does not exist", ["show", "counter/nobody"], 4, "Cannot show counter/nobody"],
  ["an actor without history", ["history", "counter/nobody"], 4, "Cannot show the history of counter/nobody"],
  ["an unknown type", ["send", "countr/a", "INC"], 4, 'did you mean "counter"?'],
  ["an unknown event", ["send", "counter/a", "INK"], 2, 'did you mean "INC"?'],
  ["a reserved event", ["ask", "counter/a", "xstate.init"], 2, "reserved"],
  ["no address", ["show", "counter"], 2, '"type/id"'],
  ["no address to listen to", ["events", "counter"], 2, '"type/id"'],
  ["an empty event type", ["events", "counter/a", "--type", ""], 2, "as an event type"],
  ["an unknown space", ["show", "counter/a", "--space", "nope"], 4, 'Cannot open the space "nope": there is none'],
  ["an unknown letter", ["dlq", "show", "i999"], 4, "Cannot find dead letter"],
  ["an unknown field of a filter", ["dlq", "ls", "typ:order"], 2, 'did you mean "type"?'],
  ["a filter without --all", ["dlq", "redrive", "type:order"], 2, "add --all"],
  ["a file that is not there", ["dlq", "import", "nope.jsonl"], 2, "no such file"],
  ["an edit without anything", ["dlq", "edit", "i999"], 2, "--editor"],
  ["an actor of an unknown type", ["dlq", "release", "countr/a"], 4, 'Did you mean "counter"?'],
  ["neither letters nor --all", ["dlq", "drop", "--type", "order"], 2, "add --all"],
  ["an unknown command", ["shwo", "counter/a"], 2, "Did you mean show?"],
])("%s is refused with its exit code", async (_, args, code, message) => {
  const ended = await cli(args);
  expect(ended.code).toBe(code);
  expect(ended.out).toBe("");
  expect(ended.err).toMatch(/^error: .*\n$/);
  expect(ended.err).toContain(message);
});

test("an unknown type is sent to when that is allowed", async () => {
  const [sent] = await documents(["send", "later/1", "GO", "--allow-unknown"]);
  expect(sent).toMatchObject({ actor: "later/1", duplicate: false });
});

test("a server that is not there, or says nothing, ends a command soon", async () => {
  const absent = await runCli(["show", "counter/a", "--nats", "nats://127.0.0.1:1"]);
  expect(absent).toMatchObject({ code: 1, err: expect.stringContaining("Cannot connect to nats://127.0.0.1:1") });

  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", () => resolve()));
  const { port } = silent.address() as { port: number };
  const startedAt = performance.now();
  const ended = await runCli(["show", "counter/a", "--nats", `nats://127.0.0.1:${port}`]);
  silent.close();
  expect(ended).toMatchObject({ code: 1, err: expect.stringContaining("no answer within 5 seconds") });
  expect(performance.now() - startedAt).toBeLessThan(15_000);
});

test("refused credentials have an exit code of their own", async () => {
  const guarded = await startEmbeddedServer({ extraConfig: "authorization { user: ada, password: secret }" });
  try {
    const env = { STATEWRIGHT_NATS: guarded.url, STATEWRIGHT_PASSWORD: "wrong" };
    const ended = await runCli(["types", "--user", "ada", "-o", "json"], { env });
    expect(ended.code).toBe(3);
    expect(JSON.parse(ended.err).error.tag).toBe("NotAuthorizedError");
    expect(ended.err).not.toContain("wrong");
  } finally {
    await guarded.stop("kill");
  }
});
