import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestSystem, type TestSystem } from "../../actors/test-system.ts";
import { check } from "../../cli/commands/check.ts";
import { decideOpen } from "../../cli/commands/saga-decisions.ts";
import { printSagas } from "../../cli/commands/saga-list.ts";
import { printPlans } from "../../cli/commands/saga-plan.ts";
import { startWorkflow } from "../../cli/commands/workflow-calls.ts";
import { printDetails } from "../../cli/commands/workflow-show.ts";
import type { OutputFormat } from "../../cli/printer.ts";
import type { SagaDecision } from "../../workflows/saga/progress.ts";
import { documentsIn, fakeIo } from "./arrange.ts";
import workflows from "./fixtures/workflows.ts";

describe("sagas of a space", () => {
  let system: TestSystem;
  beforeEach(async () => {
    system = await createTestSystem({ actors: workflows });
    await system.run(startWorkflow(system.client, "application", "1", { name: "Ada" }));
    for (const key of ["1", "2"]) await system.run(startWorkflow(system.client, "order", key, { order: key }));
    await system.run(system.client.ask("order/2", { type: "GO" }));
  });
  afterEach(() => system.stop());

  async function list(flags: Partial<Parameters<typeof printSagas>[2]> = {}) {
    const io = fakeIo();
    const now = system.time.now();
    await system.run(printSagas(system.client, undefined, { output: "table", limit: 100, ...flags }, io, now));
    return { out: io.out.text(), err: io.err.text(), lines: io.out.lines() };
  }

  async function decide(event: SagaDecision, name = "order/2", output: OutputFormat = "table") {
    const io = fakeIo();
    const code = await system.run(decideOpen(system.client, name, event, { output }, io));
    return { code, out: io.out.text(), err: io.err.text() };
  }

  const openLetters = () => system.run(system.client.deadLetters.list({ type: "order" }));

  test("are listed with their steps; other workflows are not", async () => {
    const { lines } = await list();
    expect(lines).toEqual([
      expect.stringMatching(/^SAGA +STATUS +STEPS +STATE +STARTED +TOOK$/),
      expect.stringMatching(/^order\/2 +stuck +1 done, 1 stuck, 1 refused +refund /),
      expect.stringMatching(/^order\/1 +running +- +reserve /),
    ]);
    expect((await list({ status: ["running"], output: "ids" })).lines).toEqual(["order/1"]);
    const [document] = documentsIn((await list({ output: "json" })).out);
    expect(document).toMatchObject({
      workflow: "order/2",
      steps: { reserve: "done", charge: "stuck", ship: "refused" },
    });
  });

  test("tell which steps are stuck, and by which letter", async () => {
    const [letter] = await openLetters();
    const { lines } = await list({ stuck: true });
    expect(lines).toEqual([
      expect.stringMatching(/^SAGA +STEP +WHAT +SINCE +LETTER +ERROR$/),
      expect.stringMatching(
        new RegExp(`^order/2 +charge +undo +\\S+Z +${letter?.letter} +Error: The bank is closed\\.$`),
      ),
    ]);
    expect((await list({ stuck: true, output: "ids" })).lines).toEqual(["order/2 charge"]);
  });

  test("are shown with their steps as a table, why they turned round, and their letters", async () => {
    const io = fakeIo();
    await system.run(printDetails(system.client, ["order/2"], { output: "table", last: 5 }, io, system.time.now()));
    const text = io.out.text();
    expect(text).toMatch(/\ndirection +undoing\nturned round +step ship failed: RangeError: No van is free\.\n/);
    expect(text).toMatch(
      /\nsteps +step +state +undo +error\n +reserve +done +- +-\n +charge +done +stuck +Error: The bank/,
    );
    expect(text).toContain("\nto decide     statewright saga retry, done or skip order/2 charge\n");
    expect(text).toMatch(/\ndead letters +\S+ +\S+Z +saga\.retry: Step "charge" cannot be undone\.\n/);
  });

  test("take a step for done, and its letter is closed with the note", async () => {
    const [letter] = await openLetters();
    const decided = await decide({ type: "saga.done", step: "charge", note: "by hand", by: "ada" });
    expect(decided).toMatchObject({ code: 0, err: "" });
    expect(decided.out).toMatch(
      /^saga +order\/2\nstep +charge is taken for done\nclosed +dead letter \S+\nstatus +compensating\n/,
    );
    expect(await openLetters()).toEqual([]);
    const closed = await system.run(system.client.deadLetters.get(letter?.letter as string));
    expect(closed).toMatchObject({ status: "dropped", note: "saga done: by hand" });
    expect((await list({ stuck: true })).err).toBe("No steps are stuck.\n");
    const io = fakeIo();
    await system.run(printDetails(system.client, ["order/2"], { output: "table", last: 5 }, io, system.time.now()));
    expect(io.out.text()).toMatch(/charge +done +said to be undone +- +ada: by hand\n/);
  });

  test("try a step again; when it fails again there is one letter, the new one", async () => {
    const [first] = await openLetters();
    const decided = await decide({ type: "saga.retry", step: "charge" }, "order/2", "json");
    expect(JSON.parse(decided.out)).toMatchObject({
      decision: "retry",
      lettersClosed: [first?.letter],
      status: "stuck",
    });
    const letters = await openLetters();
    expect(letters).toHaveLength(1);
    expect(letters[0]?.letter).not.toBe(first?.letter);
  });

  test.each([
    ["charg", "order/2", 'since none of this name was begun; did you mean "charge"?'],
    ["ship", "order/2", "the step is not stuck (it is refused); stuck is charge"],
    ["charge", "order/1", "since none of this name was begun; no step of it is"],
  ])("say that a step is not stuck: %s of %s", async (step, name, why) => {
    const decided = await decide({ type: "saga.skip", step }, name);
    expect(decided).toMatchObject({ code: 1, out: "" });
    expect(decided.err).toContain(`error: Cannot skip step "${step}" of ${name}: `);
    expect(decided.err).toContain(why);
    expect(await openLetters()).toHaveLength(1);
  });

  test("say of a workflow that it is no saga, and of a key that it was never started", async () => {
    await expect(decide({ type: "saga.skip", step: "a" }, "application/1")).rejects.toMatchObject({
      _tag: "InvalidOptionsError",
      message: expect.stringContaining("it is no saga"),
    });
    await expect(decide({ type: "saga.skip", step: "a" }, "order/none")).rejects.toMatchObject({
      _tag: "WorkflowNotFoundError",
    });
  });
});

describe("sagas of modules", () => {
  let folder: string;
  const index = JSON.stringify(pathToFileURL(join(import.meta.dirname, "fixtures", "workflows.ts")).href);
  const planned = (type: string, problems: readonly string[], notes: readonly string[] = []) =>
    `Object.assign({ ...order, type: "${type}" }, { [Symbol.for("statewright.actor")]: true, plan: () => ({ toString: () => "${type}\\n  1. reserve\\n" }), check: () => (${JSON.stringify({ problems, notes })}) })`;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "statewright-cli-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const write = (...sagas: string[]) =>
    writeFile(
      join(folder, "a.mjs"),
      `import { order, application } from ${index}; export default [${sagas.join(", ")}];`,
    );

  async function plan(name?: string, output: OutputFormat = "table") {
    const io = { ...fakeIo(), cwd: folder };
    await printPlans("a.mjs", name, { output }, io);
    return io.out.text();
  }

  async function checkStatic(output: OutputFormat = "table") {
    const io = { ...fakeIo(), cwd: folder };
    const code = await check(["a.mjs"], { output, limit: 5, static: true }, io);
    return { code, out: io.out.text(), err: io.err.text() };
  }

  test("print their plans, all or the one that is named", async () => {
    await write(planned("one", []), "application", planned("two", []));
    expect(await plan()).toBe("one\n  1. reserve\n\ntwo\n  1. reserve\n");
    expect(await plan("two", "json")).toBe('{"saga":"two","plan":"two\\n  1. reserve\\n"}\n');
    await expect(plan("application")).rejects.toThrow('Cannot show the plan of a saga: "application" is none.');
    await expect(plan("twoo")).rejects.toThrow('did you mean "two"?');
  });

  test("are checked without a server: problems end with exit code 1, notes do not", async () => {
    await write(planned("one", [], ["It has no timeout."]));
    expect(await checkStatic()).toEqual({
      code: 0,
      out: "SAGA  WHAT  TEXT\none   note  It has no timeout.\n",
      err: "",
    });
    await write(planned("two", ["Step ship cannot be undone."]), planned("three", []));
    // Another file: modules are loaded once.
    await writeFile(join(folder, "b.mjs"), `export { default } from "./a.mjs?2";`);
    const io = { ...fakeIo(), cwd: folder };
    expect(await check(["b.mjs"], { output: "json", limit: 5, static: true }, io)).toBe(1);
    expect(documentsIn(io.out.text())).toEqual([{ saga: "two", kind: "problem", text: "Step ship cannot be undone." }]);
  });

  test("that are in order are told so, and so are modules without any", async () => {
    await write(planned("one", []), planned("two", []));
    expect(await checkStatic()).toEqual({ code: 0, out: "", err: "2 sagas are in order.\n" });
    await expect(
      check(["a.mjs"], { output: "table", limit: 5, static: true, type: "one", id: "1" }, { ...fakeIo(), cwd: folder }),
    ).rejects.toThrow(/--static replays nothing/);
  });
});
