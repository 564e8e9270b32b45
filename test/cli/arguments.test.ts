import { expect, test } from "vitest";
import { readConnection, whereOf } from "../../cli/connection-flags.ts";
import { readCount, readDuration, readPort } from "../../cli/option-values.ts";
import { type Call, type ParseEnd, parseAndPerform } from "../../cli/program.ts";
import { fakeTerminal } from "./arrange.ts";

async function parse(...argv: string[]): Promise<{ call?: Call; end?: ParseEnd; out: string; err: string }> {
  const io = { out: fakeTerminal(), err: fakeTerminal() };
  let call: Call | undefined;
  const end = await parseAndPerform(argv, io, async (given) => {
    call = given;
  });
  return {
    ...(call === undefined ? {} : { call }),
    ...(end === undefined ? {} : { end }),
    out: io.out.text(),
    err: io.err.text(),
  };
}

test("hands arguments and options to the command, read as the table says", async () => {
  const { call } = await parse("send", "counter/a", "ADD", "-d", '{"by":2}', "--key", "k", "-t", "2s", "-o", "json");
  expect(call).toEqual({
    name: "send",
    args: ["counter/a", "ADD"],
    options: { data: '{"by":2}', key: "k", timeout: 2000, output: "json" },
  });
});

test.each([
  [["run", "a.ts", "b.ts"], "run", [["a.ts", "b.ts"]], { logLevel: "info", logFormat: "pretty" }],
  [["show", "a/1", "a/2"], "show", [["a/1", "a/2"]], { output: "table" }],
  [["history", "a/1", "-n", "3"], "history", ["a/1"], { last: 3, output: "table" }],
  [["events", "a/1"], "events", ["a/1"], { from: "new", output: "table" }],
  [["events", "a/1", "--from", "start", "-n", "2"], "events", ["a/1"], { from: "start", count: 2 }],
  [["events", "a/1", "--type", "PAID", "--from", "17"], "events", ["a/1"], { type: "PAID", from: { after: 17 } }],
  [["ask", "a/1", "GO"], "ask", ["a/1", "GO"], { timeout: 10_000, output: "table" }],
  [["send", "a/1", "--lines"], "send", ["a/1", undefined], { lines: true, output: "table" }],
  [["create", "a/1", "--if-missing"], "create", ["a/1", undefined], { ifMissing: true }],
  [["dlq", "ls"], "dlq ls", [[]], { limit: 1000, order: "oldest", output: "table" }],
  [["dlq", "ls", "type:a", "-event:PAY", "-o", "json"], "dlq ls", [["type:a", "!event:PAY"]], { output: "json" }],
  [["dlq", "groups", "since:2h", "--type", "a"], "dlq groups", [["since:2h"]], { type: "a" }],
  [["dlq", "edit", "i5", "{}", "--no-check"], "dlq edit", ["i5", "{}"], { check: false, timeout: 10_000 }],
  [["dlq", "redrive", "--group", "ab", "--rate", "5"], "dlq redrive", [[]], { group: "ab", rate: 5 }],
  [["dlq", "import", "-"], "dlq import", ["-"], { output: "table" }],
  [["dlq", "list", "--closed"], "dlq ls", [[]], { closed: true }],
  [["dlq", "redrive", "--all", "--limit", "5"], "dlq redrive", [[]], { all: true, limit: 5 }],
  [["dlq", "drop", "i5", "--note", "x"], "dlq drop", [["i5"]], { note: "x" }],
  [["dev", "a.ts", "-w", "x", "-w", "y", "-p", "0"], "dev", [["a.ts"]], { watch: ["x", "y"], port: 0 }],
  [
    ["workflow", "ls", "order", "--status", "running,stuck", "--since", "2h"],
    "workflow ls",
    ["order"],
    { status: ["running", "stuck"], since: 7_200_000, limit: 100 },
  ],
  [["workflow", "list"], "workflow ls", [undefined], { output: "table" }],
  [["workflow", "start", "order", "-k", "7", "-i", "{}"], "workflow start", ["order"], { key: "7", input: "{}" }],
  [["workflow", "cancel", "a/1", "a/2", "--reason", "x"], "workflow cancel", [["a/1", "a/2"]], { reason: "x" }],
  [["saga", "ls", "--stuck"], "saga ls", [undefined], { stuck: true }],
  [["saga", "done", "a/1", "pay", "--result", "1"], "saga done", ["a/1", "pay"], { result: "1", timeout: 10_000 }],
  [["saga", "plan", "a.ts"], "saga plan", ["a.ts", undefined], { output: "table" }],
  [["check", "a.ts", "--static"], "check", [["a.ts"]], { static: true }],
  [["-V"], "version", [], { output: "table" }],
  [["--version", "-o", "ids"], "version", [], { output: "ids" }],
])("reads %j", async (argv, name, args, options) => {
  const { call } = await parse(...argv);
  expect(call).toMatchObject({ name, args, options });
});

test.each([
  [["sned"], /^Unknown command 'sned'. Did you mean send\?$/, "statewright"],
  [["dlq", "redirve"], /Did you mean redrive\?$/, "statewright dlq"],
  [["send", "a/1", "--dta", "{}"], /^Unknown option '--dta'. Did you mean --data\?$/, "statewright send"],
  [["show"], /Missing required argument 'actor'/, "statewright show"],
  [["types", "extra"], /Too many arguments/, "statewright types"],
  [["ask", "a/1", "GO", "-t", "soon"], /Use a duration such as "500ms", "5s" or "2m"\.$/, "statewright ask"],
  [["events", "a/1", "--from", "-1"], /Use "new", "start", or the seq of an event\.$/, "statewright events"],
  [["history", "a/1", "-n", "0"], /Use a whole number from 1\.$/, "statewright history"],
  [["workflow", "ls", "--status", "runing"], /Did you mean running\?$/, "statewright workflow ls"],
  [["workflow", "ls", "--since", "soon"], /such as "2h", or a date/, "statewright workflow ls"],
  [["saga", "skpi"], /Did you mean skip\?$/, "statewright saga"],
  [["show", "a/1", "-o", "yaml"], /Allowed choices are table, json, ids\.$/, "statewright show"],
  [["dlq", "ls", "--reason", "bad"], /Allowed choices are malformed, schema/, "statewright dlq ls"],
])("refuses %j and says what to do", async (argv, message, command) => {
  const { call, end, err } = await parse(...argv);
  expect(call).toBeUndefined();
  expect(end).toMatchObject({ isHelp: false, command });
  expect(end?.message).toMatch(message);
  expect(err).toBe("");
});

test.each([[[]], [["dlq"]], [["workflow"]], [["saga"]]])(
  "asks for a command when there is none, with help: %j",
  async (argv) => {
    const { end, out } = await parse(...argv);
    expect(end).toMatchObject({ isHelp: false, message: "Name a command." });
    expect(end?.help).toContain("Usage:");
    expect(out).toBe("");
  },
);

test("shows the help of any command, with examples, however it is asked for", async () => {
  const asked = await Promise.all([
    parse("dlq", "drop", "--help"),
    parse("help", "dlq", "drop"),
    parse("dlq", "drop", "-h"),
  ]);
  for (const { call, end, out } of asked) {
    expect(call).toBeUndefined();
    expect(end?.isHelp).toBe(true);
    expect(out).toContain("Usage: statewright dlq drop [options] [letter-or-filter...]");
    expect(out).toContain("Examples:\n  statewright dlq drop");
  }
});

test("shows exit codes and variables in the general help", async () => {
  const { out } = await parse("--help");
  for (const line of ["Exit codes:", "  4  not found", "Variables:", "STATEWRIGHT_PASSWORD"])
    expect(out).toContain(line);
});

test("reads durations, counts and ports", () => {
  expect(["250", "500ms", "5s", "2 minutes", "1.5h", "1d"].map(readDuration)).toEqual([
    250, 500, 5000, 120_000, 5_400_000, 86_400_000,
  ]);
  for (const text of ["", "s", "-1s", "5 parsecs", "constructor"]) expect(() => readDuration(text)).toThrow(/duration/);
  expect(readCount("12")).toBe(12);
  for (const text of ["0", "1.5", "-1", "x", "99999999999999999999"]) expect(() => readCount(text)).toThrow(/whole/);
  expect(readPort("0")).toBe(0);
  expect(() => readPort("70000")).toThrow(/65535/);
});

test("connects to the local server when nothing says otherwise", () => {
  expect(readConnection({}, {})).toEqual({ servers: ["nats://127.0.0.1:4222"] });
});

test("prefers options over variables, and takes secrets from variables only", () => {
  const env = { STATEWRIGHT_NATS: "nats://other:4222", STATEWRIGHT_PASSWORD: "secret", STATEWRIGHT_TOKEN: "token" };
  expect(readConnection({ nats: "nats://a:1, nats://b:2", user: "ada" }, env)).toEqual({
    servers: ["nats://a:1", "nats://b:2"],
    user: "ada",
    pass: "secret",
  });
  expect(readConnection({}, env)).toEqual({ servers: ["nats://other:4222"], token: "token" });
});

test("reads certificates", () => {
  expect(readConnection({ tlsCa: "ca", tlsCert: "cert", tlsKey: "key", tlsFirst: true }, {}).tls).toEqual({
    caFile: "ca",
    certFile: "cert",
    keyFile: "key",
    handshakeFirst: true,
  });
});

test("refuses ways to log in that exclude each other or are half given, all at once", () => {
  expect(() => readConnection({ creds: "file", user: "ada", tlsKey: "key" }, {})).toThrow(
    "Cannot connect: --creds and --user exclude each other; --user needs its password in STATEWRIGHT_PASSWORD; --tls-cert and --tls-key belong together.",
  );
});

test("never names the secrets in an address", () => {
  expect(whereOf({ servers: ["nats://ada:secret@host:4222", "token@host", "tls://plain:1"] })).toBe(
    "nats://host:4222, host, tls://plain:1",
  );
});
