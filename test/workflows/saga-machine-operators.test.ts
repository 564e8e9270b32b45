/** The machine of a saga: waiting, the pivot, operators, cancel and timeout. */
import { describe, expect, it } from "vitest";
import { TerminalError } from "../../runtime/core/errors.ts";
import { all, branch, handler, model, Play, pivot, step, wait } from "./saga-play.ts";

const cancel = { type: "workflow.cancel", reason: "changed my mind", by: "ann" };
const accepted = { isRefused: false };

describe("waiting", () => {
  it("goes on with what the event carries", () => {
    const play = new Play(model([wait("order.OK"), step("a")]));
    expect(play.value).toBe("order.OK");
    expect(play.send({ type: "order.OK", who: "bob" })).toBe(true);
    expect(play.asked.get("do a")?.input.results).toEqual({ "order.OK": { who: "bob" } });
  });

  it("keeps an event that comes early, the first of its type", () => {
    const play = new Play(model([step("a"), wait("OK"), step("b")]));
    expect(play.send({ type: "OK", n: 1 })).toBe(true);
    expect(play.send({ type: "OK", n: 2 })).toBe(false);
    play.done("do a");
    expect(play.asked.get("do b")?.input.results).toMatchObject({ OK: { n: 1 } });
  });

  it("turns round when the event does not come in time", () => {
    const play = new Play(model([step("a"), wait("OK", { withinMs: 1000 })]));
    play.done("do a");
    play.advance(1000);
    expect(play.pending).toEqual(["undo a"]);
    expect(play.context.cause).toMatchObject({ kind: "failure", step: "OK", error: { name: "WaitTimeoutError" } });
    expect(play.send({ type: "OK" })).toBe(false);
  });

  it("goes on with another result when that is said, and ignores the event from then on", () => {
    const otherwise = { kind: "go-on", result: ({ input }: { input: unknown }) => input } as const;
    const play = new Play(model([wait("OK", { withinMs: 1000, otherwise }), step("a")]), undefined);
    play.advance(1000);
    expect(play.pending).toEqual(["do a"]);
    expect(play.send({ type: "OK" })).toBe(false);
  });

  it("escalates in time, whatever becomes of it, and no more when the event has come", () => {
    const escalations = [
      { afterMs: 1000, do: handler },
      { afterMs: 2000, do: handler },
    ];
    const play = new Play(model([wait("OK", { escalations, withinMs: 9000 }), step("a")]));
    play.advance(1000);
    expect(play.pending).toEqual(["escalate OK 1"]);
    play.fails("escalate OK 1");
    expect(play.value).toEqual({ OK: { "escalation-1": "failed", "escalation-2": "pending" } });
    play.send({ type: "OK" });
    play.advance(1000);
    expect(play.pending).toEqual(["do a"]);
  });

  it("is stuck past the pivot, until an operator decides or the event comes", () => {
    for (const decide of [
      { type: "saga.done", step: "OK", result: 1 },
      { type: "saga.skip", step: "OK" },
      { type: "OK", n: 1 },
    ]) {
      const play = new Play(model([pivot("p"), wait("OK", { withinMs: 1000 }), step("z", { undo: undefined })]));
      play.done("do p");
      play.advance(1000);
      expect([play.value, play.tags]).toEqual([{ OK: "stuck" }, ["stuck"]]);
      expect(play.context.steps.OK).toMatchObject({ isStuck: true });
      expect(play.send(decide)).toBe(true);
      expect(play.pending).toEqual(["do z"]);
      expect(play.context.steps.OK?.isStuck).toBeUndefined();
    }
  });
});

describe("past the pivot", () => {
  const nodes = [step("a"), pivot("p"), step("z", { undo: undefined })];

  function atEnd(): Play {
    const play = new Play(model(nodes));
    play.done("do a");
    play.done("do p");
    play.fails("do z");
    return play;
  }

  it("a step that fails is stuck, and leaves a letter", () => {
    const play = atEnd();
    expect([play.value, play.tags]).toEqual([{ z: "stuck" }, ["stuck"]]);
    expect(play.context.steps.z).toMatchObject({ isStuck: true, state: "unknown" });
    expect(play.letters).toMatchObject([
      { event: { type: "saga.retry", step: "z" }, error: { message: "do z broken" } },
    ]);
  });

  it("an operator has it tried again, under the same key", () => {
    const play = atEnd();
    expect(play.send({ type: "saga.retry", step: "other" })).toBe(false);
    play.send({ type: "saga.retry", step: "z", note: "fixed", by: "ann" });
    expect(play.context.steps.z).toEqual({ state: "begun", n: 3, note: "fixed", by: "ann" });
    expect(play.keys.filter(([id]) => id === "do z")).toEqual([
      ["do z", "1.do.z"],
      ["do z", "1.do.z"],
    ]);
    play.done("do z", 9);
    expect(play.output).toMatchObject({ z: 9 });
    expect(play.send({ type: "saga.retry", step: "z" })).toBe(false);
  });

  it("an operator takes it for done, with a result, or goes on without it", () => {
    const done = atEnd();
    done.send({ type: "saga.done", step: "z", result: 5, by: "ann" });
    expect(done.output).toMatchObject({ z: 5 });
    const skipped = atEnd();
    skipped.send({ type: "saga.skip", step: "z" });
    expect(skipped.status).toBe("done");
    expect(Object.keys(skipped.output)).toEqual(["a", "p"]);
    expect(skipped.context.steps.z?.state).toBe("skipped");
  });

  it("refuses a cancel, in words, and takes no timeout", () => {
    const play = new Play(model(nodes, { timeoutMs: 1000 }));
    play.done("do a");
    play.done("do p");
    expect(play.send(cancel)).toBe(true);
    play.advance(5000);
    play.send({ type: "workflow.timeout" });
    expect(play.replies).toEqual([{ isRefused: true, why: expect.stringContaining('"p" is done') }]);
    expect(play.pending).toEqual(["do z"]);
  });

  it("a branch that is stuck does not hold up the other", () => {
    const play = new Play(model([pivot("p"), all(branch("x", step("x1"), step("x2")), branch("y", step("y1")))]));
    play.done("do p");
    play.fails("do x1");
    play.done("do y1");
    expect(play.value).toEqual({ "x+y": { x: { x1: "stuck" }, y: "done" } });
    play.send({ type: "saga.skip", step: "x1" });
    play.done("do x2");
    expect(play.status).toBe("done");
  });
});

describe("the pivot", () => {
  it("turns the saga round when it is known not to have happened", () => {
    const play = new Play(model([step("a"), pivot("p")]));
    play.done("do a");
    play.fails("do p", new TerminalError("no"), 1);
    expect(play.pending).toEqual(["undo a"]);
  });

  it("is undone when its outcome is unknown and it can be", () => {
    const play = new Play(model([step("a"), pivot("p", { undo: handler, timeoutMs: 1000 })]));
    play.done("do a");
    play.advance(1000);
    expect(play.pending).toEqual(["undo p"]);
    play.done("undo p");
    play.done("undo a");
    expect(play.error.details).toMatchObject({ step: "p", undone: ["p", "a"] });
  });

  it.each([
    ["saga.retry", ["do p"], false],
    ["saga.done", ["do z"], true],
    ["saga.skip", ["undo a"], false],
  ])("is stuck when its outcome is unknown and it cannot be undone: %s leads to %s", (type, pending, isPastPivot) => {
    const play = new Play(model([step("a"), pivot("p"), step("z", { undo: undefined })]));
    play.done("do a");
    play.fails("do p");
    expect(play.tags).toEqual(["stuck"]);
    play.send({ type, step: "p" });
    expect(play.pending).toEqual(pending);
    expect(play.context.isPastPivot).toBe(isPastPivot);
  });

  it("keeps a cancel in mind that comes while it is under way, and honours it if nothing was done", () => {
    const play = new Play(model([step("a"), pivot("p")]));
    play.done("do a");
    play.send(cancel);
    expect(play.replies).toEqual([{ isRefused: true, why: expect.stringContaining("under way") }]);
    play.fails("do p", new TerminalError("no"), 1);
    play.done("undo a");
    expect(play.error.name).toBe("WorkflowCancelledError");
  });
});

describe("an undo that has failed for good", () => {
  function stuck(): Play {
    const play = new Play(model([step("a"), step("b"), step("c")]));
    play.done("do a");
    play.done("do b");
    play.fails("do c", new TerminalError("no"), 1);
    play.fails("undo b", new Error("undo broken"));
    return play;
  }

  it("is stuck, leaves a letter, and is tried again under the same key", () => {
    const play = stuck();
    expect([play.value, play.tags]).toEqual([{ undoing: { b: "stuck" } }, ["compensating", "stuck"]]);
    expect(play.context.steps.b).toMatchObject({ undo: "stuck", undoError: { message: "undo broken" } });
    expect(play.letters).toMatchObject([
      { event: { type: "saga.retry", step: "b" }, error: { message: "undo broken" } },
    ]);
    play.send({ type: "saga.retry", step: "b" });
    expect(play.keys.filter(([id]) => id === "undo b")).toEqual([
      ["undo b", "1.undo.b"],
      ["undo b", "1.undo.b"],
    ]);
    play.done("undo b");
    play.done("undo a");
    expect(play.error.details).toMatchObject({ undone: ["b", "a"], skipped: [] });
  });

  it("is noted as done, or skipped, by an operator", () => {
    const noted = stuck();
    noted.send({ type: "saga.done", step: "b", note: "by hand", by: "ann" });
    expect(noted.context.steps.b).toMatchObject({ undo: "noted", note: "by hand", by: "ann" });
    noted.done("undo a");
    expect(noted.error.details).toMatchObject({ undone: ["b", "a"], skipped: [] });
    const skipped = stuck();
    skipped.send({ type: "saga.skip", step: "b" });
    skipped.done("undo a");
    expect(skipped.error.details).toMatchObject({ undone: ["a"], skipped: ["b"] });
  });

  it("is stuck when it takes too long", () => {
    const play = new Play(model([step("a", { undoTimeoutMs: 1000 })]));
    play.fails("do a");
    play.advance(1000);
    expect([play.value, play.pending]).toEqual([{ undoing: { a: "stuck" } }, []]);
  });

  it("holds up its own branch only", () => {
    const play = new Play(model([all(branch("x", step("x1")), branch("y", step("y1"), step("y2"))), step("z")]));
    for (const name of ["x1", "y1", "y2"]) play.done(`do ${name}`);
    play.fails("do z", new TerminalError("no"), 1);
    play.fails("undo x1");
    play.done("undo y2");
    play.done("undo y1");
    expect(play.value).toEqual({ undoing: { "x+y": { x: { x1: "stuck" }, y: "done" } } });
  });
});

describe("a cancel", () => {
  it("lets the step under way come to its end, and undoes it", () => {
    const play = new Play(model([step("a"), step("b")]));
    play.send(cancel);
    expect([play.value, play.replies]).toEqual([{ a: "settling" }, [accepted]]);
    play.send(cancel);
    expect(play.replies).toEqual([accepted, accepted]);
    play.done("do a", 1);
    expect(play.asked.get("undo a")?.input).toMatchObject({ outcome: "done", result: 1 });
    play.done("undo a");
    expect(play.error).toMatchObject({
      name: "WorkflowCancelledError",
      details: { saga: "order", reason: "changed my mind", by: "ann", undone: ["a"], skipped: [] },
    });
  });

  it("leaves a step that does not settle", () => {
    const play = new Play(model([step("a")], { settleMs: 500 }));
    play.send(cancel);
    play.advance(500);
    expect(play.pending).toEqual(["undo a"]);
  });

  it("leaves a wait at once", () => {
    const play = new Play(model([step("a"), wait("OK", { withinMs: 10_000 })]));
    play.done("do a");
    play.send(cancel);
    expect(play.pending).toEqual(["undo a"]);
  });

  it("changes nothing while the saga is undone, or stuck at that", () => {
    const play = new Play(model([step("a")]));
    play.fails("do a");
    play.send(cancel);
    expect([play.pending, play.context.cause?.kind]).toEqual([["undo a"], "failure"]);
    play.fails("undo a");
    expect(play.send(cancel)).toBe(true);
    expect([play.value, play.replies]).toEqual([{ undoing: { a: "stuck" } }, [accepted, accepted]]);
  });

  it("stops branches where they stand", () => {
    const play = new Play(model([all(branch("x", wait("OK")), branch("y", step("y1"), step("y2")))]));
    play.send(cancel);
    expect(play.value).toEqual({ "x+y": { x: "halted", y: { y1: "settling" } } });
    play.done("do y1");
    expect(play.pending).toEqual(["undo y1"]);
  });
});

describe("the timeout", () => {
  it("turns the saga round", () => {
    const play = new Play(model([step("a"), wait("OK")], { timeoutMs: 60_000 }));
    play.done("do a");
    play.advance(60_000);
    play.done("undo a");
    expect(play.error).toMatchObject({ name: "WorkflowTimeoutError", details: { undone: ["a"] } });
  });

  it("changes nothing once the saga is undone", () => {
    const play = new Play(model([step("a")], { timeoutMs: 60_000 }));
    play.fails("do a");
    play.advance(60_000);
    play.send({ type: "workflow.timeout" });
    play.done("undo a");
    expect(play.error.name).toBe("SagaCompensatedError");
  });
});
