/** The machine of a saga: forward, and back. */
import { describe, expect, it } from "vitest";
import { AskRefusedError, TerminalError } from "../../runtime/core/errors.ts";
import { prepareMachine } from "../../runtime/machine/prepare-machine.ts";
import { sagaMachine } from "../../workflows/saga/machine.ts";
import { all, branch, choose, handler, model, Play, pivot, step, wait } from "./saga-play.ts";

const three = [step("a"), step("b"), step("c")];

describe("forward", () => {
  it("runs one step after the other, and ends with their results", () => {
    const play = new Play(model(three), { n: 1 });
    expect(play.value).toEqual({ a: "running" });
    play.done("do a", 1);
    expect(play.asked.get("do b")).toEqual({ input: { input: { n: 1 }, results: { a: 1 } }, key: "1.do.b" });
    play.done("do b", 2);
    play.done("do c", 3);
    expect([play.value, play.status, play.output]).toEqual(["completed", "done", { a: 1, b: 2, c: 3 }]);
  });

  it("ends with what the saga makes of the results", () => {
    const play = new Play(model([step("a")], { end: ({ input, results }) => [input, results.a] }), "in");
    play.done("do a", 1);
    expect(play.output).toEqual(["in", 1]);
  });

  it("has a step on record before it has come to its end", () => {
    const play = new Play(model(three));
    expect(play.context.steps).toEqual({ a: { state: "begun", n: 1 } });
  });

  it("completes at once when there is nothing to do", () => {
    expect(new Play(model([])).output).toEqual({});
  });

  it("runs branches side by side, with their results below their names", () => {
    const play = new Play(
      model([all(branch("card", step("card")), branch("parcel", step("pack"), step("label"))), step("z")]),
    );
    expect(play.value).toEqual({ "card+parcel": { card: { card: "running" }, parcel: { pack: "running" } } });
    play.done("do pack", "p");
    play.done("do card", "c");
    expect(play.pending).toEqual(["do label"]);
    play.done("do label", "l");
    expect(play.asked.get("do z")?.input.results).toEqual({ card: "c", parcel: { pack: "p", label: "l" } });
  });

  it("runs the branch that is chosen, and no other", () => {
    const pick = ({ input }: any) => input;
    const nodes = [choose("method", pick, branch("courier", step("ride")), branch("post", step("stamp"))), step("z")];
    const play = new Play(model(nodes), "post");
    expect(play.value).toEqual({ method: { post: { stamp: "running" } } });
    play.done("do stamp", 1);
    expect(play.asked.get("do z")?.input.results).toEqual({ post: { stamp: 1 } });
  });

  it.each([
    ["is none of the branches", () => "boat"],
    [
      "throws",
      () => {
        throw new Error("no idea");
      },
    ],
  ])("turns round when the choice %s", (_, pick) => {
    const play = new Play(model([step("a"), choose("method", pick, branch("x", step("b")))]));
    play.done("do a");
    expect(play.pending).toEqual(["undo a"]);
    play.done("undo a");
    expect(play.error).toMatchObject({ name: "SagaCompensatedError", details: { step: "method", undone: ["a"] } });
  });
});

describe("failure", () => {
  it.each([0, 1, 2])("undoes exactly what was begun, the last first, when step %i fails", (at) => {
    const play = new Play(model(three));
    for (const { name } of three.slice(0, at)) play.done(`do ${name}`);
    const { name } = three[at] as { name: string };
    const error = new Error("broken");
    play.fails(`do ${name}`, error);
    expect(play.tags).toEqual(["compensating"]);
    const begun = three
      .slice(0, at + 1)
      .map((one) => one.name)
      .reverse();
    for (const back of begun) {
      expect(play.pending).toEqual([`undo ${back}`]);
      play.done(`undo ${back}`);
    }
    expect(play.value).toBe("undone");
    expect(play.error).toMatchObject({
      name: "SagaCompensatedError",
      cause: error,
      details: { saga: "order", step: name, undone: begun, skipped: [] },
    });
  });

  it("tells an undo what the step came to", () => {
    const play = new Play(model([step("a"), step("b")]), "in");
    play.done("do a", 1);
    play.fails("do b");
    expect(play.asked.get("undo b")).toEqual({
      input: { input: "in", results: { a: 1 }, result: undefined, outcome: "unknown" },
      key: "1.undo.b",
    });
    play.done("undo b");
    expect(play.asked.get("undo a")?.input).toMatchObject({ result: 1, outcome: "done" });
  });

  it.each([
    ["a terminal error at the first attempt", new TerminalError("no"), 1, "refused"],
    ["a terminal error after other attempts", new TerminalError("no"), 2, "unknown"],
    ["an actor that refuses", new AskRefusedError("no"), 1, "refused"],
    ["any other error", new Error("no"), 1, "unknown"],
    ["an error that is fatal by the step's own rule", new Error("fatal"), 1, "refused"],
  ])("takes %s for what it is", (_, error, attempts, state) => {
    const isFatal = (given: unknown) => (given as Error).message === "fatal";
    const play = new Play(model([step("a", { isFatal })]));
    play.fails("do a", error, attempts);
    expect(play.context.steps.a).toMatchObject({ state, error });
    expect(play.pending).toEqual(state === "unknown" ? ["undo a"] : []);
  });

  it.each([
    ["done", "unknown", false],
    ["attempted", "unknown", true],
    ["attempted", "refused", false],
    ["always", "refused", true],
  ] as const)("with undoOn %s, a step that is %s is undone: %s", (undoOn, state, isUndone) => {
    const play = new Play(model([step("a", { undoOn })]));
    play.fails("do a", state === "refused" ? new TerminalError("no") : new Error("x"), 1);
    expect(play.pending).toEqual(isUndone ? ["undo a"] : []);
  });

  it("passes steps that have no undo", () => {
    const play = new Play(model([step("a"), step("b", { undo: undefined, isIrreversible: true }), step("c")]));
    play.done("do a");
    play.done("do b");
    play.fails("do c", new TerminalError("no"), 1);
    expect(play.pending).toEqual(["undo a"]);
  });

  it("takes the outcome of a step that is not done in time for unknown", () => {
    const play = new Play(model([step("a", { timeoutMs: 1000 })]));
    play.advance(1000);
    expect(play.context.steps.a).toMatchObject({ state: "unknown", error: { name: "WaitTimeoutError" } });
    expect(play.pending).toEqual(["undo a"]);
  });
});

describe("branches", () => {
  const nodes = [step("a"), all(branch("x", step("x1"), step("x2")), branch("y", step("y1"), step("y2")))];

  function inBranches(): Play {
    const play = new Play(model(nodes));
    play.done("do a");
    return play;
  }

  it("lets the other branch finish its step, and begin no other", () => {
    const play = inBranches();
    play.fails("do x1");
    expect(play.value).toEqual({ "x+y": { x: "halted", y: { y1: "settling" } } });
    play.done("do y1", 1);
    expect(play.pending).toEqual(["undo x1", "undo y1"]);
    expect(play.asked.get("undo y1")?.input).toMatchObject({ result: 1, outcome: "done" });
    expect(play.log).not.toContain("do y2");
  });

  it("leaves a step that does not settle, and takes its outcome for unknown", () => {
    const play = inBranches();
    play.fails("do x1");
    play.advance(29_999);
    expect(play.pending).toEqual(["do y1"]);
    play.advance(1);
    expect(play.pending).toEqual(["undo x1", "undo y1"]);
    expect(play.context.steps.y1?.state).toBe("unknown");
  });

  it("undoes branches side by side, each in reverse, and then what came before", () => {
    const play = inBranches();
    play.done("do x1");
    play.done("do y1");
    play.done("do x2");
    play.fails("do y2");
    expect(play.pending).toEqual(["undo x2", "undo y2"]);
    play.done("undo x2");
    play.done("undo x1");
    play.done("undo y2");
    expect(play.pending).toEqual(["undo y1"]);
    play.done("undo y1");
    play.done("undo a");
    expect(play.error.details).toMatchObject({ step: "y2", undone: ["y2", "x2", "y1", "x1", "a"] });
  });

  it("keeps the first failure as the cause", () => {
    const play = inBranches();
    play.fails("do x1");
    play.fails("do y1");
    expect(play.context.cause).toMatchObject({ step: "x1" });
    expect(play.context.steps.y1).toMatchObject({ state: "unknown", error: { message: "do y1 broken" } });
  });

  it("undoes the branch that was chosen", () => {
    const chosen = choose(
      "method",
      () => "post",
      branch("courier", step("ride")),
      branch("post", step("stamp"), step("drop")),
    );
    const play = new Play(model([chosen, step("z")]));
    play.done("do stamp", 5);
    play.done("do drop");
    play.fails("do z", new TerminalError("no"), 1);
    play.done("undo drop");
    expect(play.asked.get("undo stamp")?.input).toMatchObject({ result: 5 });
    play.done("undo stamp");
    expect(play.error.details).toMatchObject({ undone: ["drop", "stamp"] });
  });
});

describe("names", () => {
  it.each([
    ["two parts of one name", [step("a"), step("a")], /another part has too/],
    ["a name that every saga has", [step("undone")], /states of every saga have/],
    ["a name that is none", [step("a b")], /must begin with a letter/],
    ["a reserved event", [wait("workflow.cancel")], /cannot be awaited/],
    ["activities of one name", [step("a"), step("a-undo")], /would both be the activity "order-a-undo"/],
    ["a pivot in a branch", [all(branch("x", pivot("p")), branch("y", step("b")))], /stands in a branch/],
    ["an activity whose name is too long", [step("a".repeat(60))], /more than 64 letters/],
  ])("refuses %s", (_, nodes, words) => {
    expect(() => sagaMachine(model(nodes))).toThrow(words);
  });

  it("makes a machine that runs durably, whose states say what they are", () => {
    const { machine } = sagaMachine(
      model(
        [
          step("a"),
          all(branch("x", step("x")), branch("y", step("b"), wait("order.ok"))),
          choose("m", () => "k", branch("k", step("k1"))),
          wait("order.go", { withinMs: 5, escalations: [{ afterMs: 1, do: handler }] }),
          pivot("p"),
          step("late"),
        ],
        { timeoutMs: 5 },
      ),
    );
    const driver = prepareMachine(machine);
    expect(driver.identity).toEqual({ id: "order", fingerprint: expect.any(String) });
    expect([...driver.children.keys()]).toContain("do a");
    expect(machine.root.states.a?.meta).toEqual({ step: "a", kind: "step" });
    expect(machine.root.states.a?.description).toMatch(/Step "a"/);
  });
});
