import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createMachine } from "xstate";
import { defineActor } from "../../actors/define-actor.ts";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { endEach, resultOf, startWorkflow } from "../../cli/commands/workflow-calls.ts";
import { printWorkflows, typesFor } from "../../cli/commands/workflow-list.ts";
import { printDetails } from "../../cli/commands/workflow-show.ts";
import { exitCodeOf } from "../../cli/exit-codes.ts";
import { readMoment, readStatuses } from "../../cli/option-values.ts";
import type { OutputFormat } from "../../cli/printer.ts";
import { documentsIn, fakeIo } from "./arrange.ts";
import workflows from "./fixtures/workflows.ts";

let system: TestSystem;
beforeEach(async () => {
  const counter = defineActor("counter", { machine: createMachine({}) });
  system = await createTestSystem({ actors: [...workflows, counter] });
});
afterEach(() => system.stop());

const start = (key: string, input: unknown = { name: "Ada" }, type = "application") =>
  system.run(startWorkflow(system.client, type, key, input));

async function list(
  type?: string,
  flags: Partial<Parameters<typeof printWorkflows>[2]> = {},
): Promise<{ readonly out: string; readonly err: string; readonly lines: string[] }> {
  const io = fakeIo();
  const now = system.time.now();
  await system.run(printWorkflows(system.client, type, { output: "table", limit: 100, ...flags }, io, now));
  return { out: io.out.text(), err: io.err.text(), lines: io.out.lines() };
}

async function show(output: OutputFormat, ...names: string[]): Promise<string> {
  const io = fakeIo();
  await system.run(printDetails(system.client, names, { output, last: 5 }, io, system.time.now()));
  return io.out.text();
}

async function end(verb: "cancel" | "terminate", ...names: string[]) {
  const io = fakeIo();
  const code = await system.run(endEach(system.client, verb, names, { output: "table", reason: "no longer" }, io));
  return { code, out: io.out.text(), err: io.err.text() };
}

describe("starting", () => {
  test("begins a workflow once, finds it with the same input, and refuses another one", async () => {
    expect(await start("7")).toEqual({ workflow: "application/7", isNew: true, status: "running", run: 1 });
    expect(await start("7")).toMatchObject({ isNew: false, status: "running" });
    const refused = await start("7", { name: "Bob" }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ _tag: "WorkflowConflictError" });
    expect(exitCodeOf(refused)).toBe(5);
  });
});

describe("a list", () => {
  test("has workflows of all types and no other actors, the newest first", async () => {
    await system.run(system.client.send("counter/1", { type: "INC" }));
    await start("1");
    await system.advance(90_000);
    await start("2", { order: "2" }, "order");
    await system.run(system.client.ask("application/1", { type: "REFUSE" }));
    const { lines, err } = await list();
    expect(err).toBe("");
    expect(lines).toEqual([
      expect.stringMatching(/^WORKFLOW +STATUS +STATE +STARTED +TOOK +ERROR$/),
      expect.stringMatching(/^order\/2 +running +reserve +\S+Z +\d+ ms so far +-$/),
      expect.stringMatching(/^application\/1 +failed +refused +\S+Z +90 s +RangeError: Ada is too young$/),
    ]);
  });

  test("is narrowed by type and status, says when it is cut, and names workflows for the next command", async () => {
    for (const key of ["1", "2", "3"]) await start(key);
    await system.run(system.client.ask("application/2", { type: "ACCEPT" }));
    expect((await list("application", { output: "ids", status: ["completed"] })).lines).toEqual(["application/2"]);
    expect((await list("application", { output: "ids", status: ["running", "completed"] })).lines).toHaveLength(3);
    const cut = await list("application", { limit: 2, output: "ids" });
    expect(cut.lines).toHaveLength(2);
    expect(cut.err).toBe("There are more than 2: --limit shows more of them.\n");
    expect(await list("order")).toMatchObject({ out: "", err: "No workflows that match.\n" });
    const [document] = documentsIn((await list("application", { output: "json", status: ["completed"] })).out);
    expect(document).toMatchObject({ workflow: "application/2", status: "completed", run: 1, state: "accepted" });
    expect(document?.endedAt).toMatch(/^\d{4}-.*Z$/);
  });

  test("of a type that no node has registered is refused with the nearest one", async () => {
    const refused = await system.run(typesFor(system.client, "aplication")).catch((error: unknown) => error);
    expect((refused as Error).message).toContain('did you mean "application"?');
    expect(exitCodeOf(refused)).toBe(4);
  });
});

describe("a workflow that is shown", () => {
  test("tells its run, its state, its timers and its history", async () => {
    await start("7");
    await system.advance(5000);
    const text = await show("table", "application/7");
    expect(text).toMatch(
      /^workflow +application\/7\nstatus +running\nstarted +\S+Z, 5.* s ago\nrun +1\ninput digest +\S{22}\n/,
    );
    expect(text).toMatch(/\nstate +waiting\ncontext +\{"name":"Ada"\}\ntimers +\S+Z {2}xstate\.after/);
    expect(text).toMatch(
      /\nhistory +\S+Z {2}create created: waiting|\nhistory +\S+Z {2}create created: - -> waiting\n/,
    );
  });

  test("tells what it has ended with, and the messages that died", async () => {
    await start("7");
    await system.run(system.client.ask("application/7", { type: "REFUSE" }));
    const text = await show("table", "application/7");
    expect(text).toMatch(/\nstatus +failed\n/);
    expect(text).toMatch(/\nended +\S+Z, after \d+ m?s\n/);
    expect(text).toMatch(/\nerror +RangeError: Ada is too young\n/);
    const [document] = documentsIn(await show("json", "application/7"));
    expect(document).toMatchObject({
      workflow: "application/7",
      status: "failed",
      run: { n: 1 },
      error: { name: "RangeError" },
      letters: [],
    });
    expect(document?.history).toHaveLength(2);
  });

  test("must have been started", async () => {
    const refused = await show("table", "application/none").catch((error: unknown) => error);
    expect((refused as Error).message).toMatch(/^Cannot show application\/none: it was never started\./);
    expect(exitCodeOf(refused)).toBe(4);
  });
});

describe("a result", () => {
  test("is the output, as soon as there is one", async () => {
    await start("7");
    const result = resultOf(system.client, "application/7");
    await system.run(system.client.send("application/7", { type: "ACCEPT" }));
    expect(await system.run(result)).toEqual({ welcome: "Ada" });
  });

  test("that does not come is an error in words: what the workflow ended with, or the time that is over", async () => {
    await start("7");
    await expect(system.run(resultOf(system.client, "application/7", 500))).rejects.toMatchObject({
      _tag: "WaitTimeoutError",
    });
    await system.run(system.client.ask("application/7", { type: "REFUSE" }));
    await expect(system.run(resultOf(system.client, "application/7"))).rejects.toThrow(
      "Workflow application/7 has failed: RangeError: Ada is too young",
    );
    await expect(system.run(resultOf(system.client, "application/none"))).rejects.toMatchObject({
      _tag: "WorkflowNotFoundError",
    });
  });
});

describe.each(["cancel", "terminate"] as const)("%s", (verb) => {
  test("ends workflows, tells of those that had ended before or were never started, and goes on", async () => {
    for (const key of ["1", "2", "3"]) await start(key);
    await system.run(system.client.ask("application/2", { type: "ACCEPT" }));
    const { code, out, err } = await end(verb, "application/1", "application/2", "application/3");
    const status = verb === "cancel" ? "cancelled" : "terminated";
    expect(code).toBe(1);
    expect(out).toMatch(/^WORKFLOW +STATUS +RESULT\n/);
    for (const key of ["1", "3"]) expect(out).toMatch(new RegExp(`application/${key} +${status} +has ended\\n`));
    expect(err).toBe(`error: Cannot ${verb} application/2: it has ended before (completed). Nothing was changed.\n`);
    const missing = await end(verb, "application/none");
    expect(missing).toMatchObject({ code: 4, out: "" });
    expect(missing.err).toContain(`Cannot ${verb} application/none: it was never started.`);
  });
});

test("times and statuses are read", () => {
  expect(readMoment("2h")).toBe(7_200_000);
  expect(readMoment("2026-01-31")).toEqual(new Date("2026-01-31"));
  expect(() => readMoment("yesterday")).toThrow(/Use how long ago/);
  expect(readStatuses("running, stuck")).toEqual(["running", "stuck"]);
  expect(() => readStatuses("runing")).toThrow("Did you mean running?");
  expect(() => readStatuses("x")).toThrow("Use running, compensating, stuck");
});
