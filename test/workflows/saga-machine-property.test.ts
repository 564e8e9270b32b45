/** Sagas of any shape, whatever fails: one of three ends, and nothing undone that was not begun. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { TerminalError } from "../../runtime/core/errors.ts";
import { type SagaNode, stepsOf } from "../../workflows/saga/model.ts";
import { all, branch, choose, model, Play, pivot, step, wait } from "./saga-play.ts";

/** A shape: letters become nodes, each with a name of its own. */
type Shape = { kind: "step" | "wait" } | { kind: "all" | "choose"; branches: Shape[][] };

const { shapes } = fc.letrec<{ shape: Shape; shapes: Shape[] }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    fc.constantFrom<Shape>({ kind: "step" }, { kind: "step" }, { kind: "wait" }),
    fc.record({
      kind: fc.constantFrom("all" as const, "choose" as const),
      branches: fc.array(tie("shapes"), { minLength: 2, maxLength: 3 }),
    }),
  ),
  shapes: fc.array(tie("shape"), { minLength: 1, maxLength: 3 }),
}));

function grow(shapesGiven: readonly Shape[], next: () => number, hasUndo: boolean): SagaNode[] {
  return shapesGiven.map((shape): SagaNode => {
    const n = next();
    if (shape.kind === "step") return step(`s${n}`, hasUndo ? {} : { undo: undefined });
    if (shape.kind === "wait") return wait(`W${n}`, { withinMs: 1000 });
    const branches = (shape as { branches: Shape[][] }).branches.map((nodes, i) =>
      branch(`b${n}-${i}`, ...grow(nodes, next, hasUndo)),
    );
    return shape.kind === "all"
      ? all(...branches)
      : choose(`c${n}`, () => branches[n % branches.length]?.name as string, ...branches);
  });
}

const scenario = fc.record({
  before: shapes,
  hasPivot: fc.boolean(),
  after: shapes,
  timeoutMs: fc.constantFrom(undefined, 300, 5000),
  // What happens next: which of what is asked for, and what becomes of it.
  moves: fc.array(fc.tuple(fc.nat(100), fc.nat(29)), { minLength: 5, maxLength: 60 }),
});

function waitsIn(nodes: readonly SagaNode[]): string[] {
  return nodes.flatMap((node) =>
    node.kind === "wait" ? [node.name] : node.kind === "step" ? [] : node.branches.flatMap((one) => waitsIn(one.nodes)),
  );
}

/** Steps that are known to come one after the other, in the order of the model. */
function pairsOf(nodes: readonly SagaNode[]): Array<[string, string]> {
  const groups = nodes.map((node) => stepsOf([node]).map(({ name }) => name));
  const here = groups.flatMap((group, i) =>
    groups.slice(i + 1).flatMap((later) => group.flatMap((a) => later.map((b): [string, string] => [a, b]))),
  );
  const below = nodes.flatMap((node) =>
    node.kind === "all" || node.kind === "choose" ? node.branches.flatMap((one) => pairsOf(one.nodes)) : [],
  );
  return [...here, ...below];
}

it("completes, is undone in the right order, or is stuck, whatever fails", () => {
  const seen = { done: 0, undone: 0, stuck: 0 };
  fc.assert(
    fc.property(scenario, ({ before, hasPivot, after, timeoutMs, moves }) => {
      let n = 0;
      const next = () => ++n;
      const nodes = [...grow(before, next, true), ...(hasPivot ? [pivot("p"), ...grow(after, next, false)] : [])];
      const play = new Play(model(nodes, { timeoutMs }));
      const waits = waitsIn(nodes);
      for (const [which, what] of moves) move(play, which, what, waits);
      // From now on nothing fails, and nobody asks for anything: it comes to its end, or an operator is needed.
      for (let i = 0; i < 400 && play.status === "active"; i++) {
        const [id] = play.pending;
        if (id !== undefined) play.done(id);
        else if (play.tags.includes("stuck")) break;
        else for (const type of waits) play.send({ type });
      }
      check(play, nodes);
      seen[play.status === "active" ? "stuck" : play.value === "completed" ? "done" : "undone"]++;
    }),
    { numRuns: 300 },
  );
  expect(Object.values(seen).every((count) => count > 10)).toBe(true);
});

function move(play: Play, which: number, what: number, waits: readonly string[]): void {
  const id = play.pending[which % Math.max(1, play.pending.length)];
  const stuck = Object.keys(play.context.steps)[which % Math.max(1, Object.keys(play.context.steps).length)];
  if (what < 2 && play.status === "active") play.send({ type: "workflow.cancel" });
  else if (what < 5) play.advance(100 * which);
  else if (what < 12 && stuck !== undefined)
    play.send({ type: ["saga.retry", "saga.done", "saga.skip"][what % 3] as string, step: stuck });
  else if (what < 15) play.send({ type: waits[which % Math.max(1, waits.length)] ?? "none" });
  else if (id === undefined) return;
  else if (what < 17) play.fails(id, new TerminalError("no"), 1);
  else if (what < 19) play.fails(id);
  else play.done(id);
}

function check(play: Play, nodes: readonly SagaNode[]): void {
  const { steps, isPastPivot } = play.context;
  const began = play.log.filter((id) => id.startsWith("do ")).map((id) => id.slice(3));
  const undoBegan = play.log.filter((id) => id.startsWith("undo ")).map((id) => id.slice(5));
  const undoLog = [...new Set(undoBegan)];
  // Every step that was asked for is on record, and no other.
  const names = stepsOf(nodes).map(({ name }) => name);
  expect(
    Object.keys(steps)
      .filter((name) => names.includes(name))
      .sort(),
  ).toEqual([...new Set(began)].sort());
  // One key for each doing.
  const keys = new Map<string, string | undefined>();
  for (const [id, key] of play.keys) {
    expect(keys.get(id) ?? key).toBe(key);
    keys.set(id, key);
  }
  expect(new Set(keys.values()).size).toBe(keys.size);
  // No way back past the pivot.
  if (isPastPivot) expect([undoLog, play.context.direction]).toEqual([[], "forward"]);
  // A step is undone after all that came later.
  for (const [a, b] of pairsOf(nodes)) {
    if (undoLog.includes(a) && undoLog.includes(b)) expect(undoLog.indexOf(a)).toBeGreaterThan(undoLog.indexOf(b));
  }
  // Nothing begins once something is undone.
  const firstUndo = play.log.findIndex((id) => id.startsWith("undo "));
  if (firstUndo >= 0) expect(play.log.slice(firstUndo).filter((id) => id.startsWith("do "))).toEqual([]);
  const mayHaveHappened = Object.entries(steps).filter(([, { state }]) => state === "done" || state === "unknown");
  if (play.value === "completed") {
    expect(play.context.direction).toBe("forward");
    expect(Object.values(steps).every(({ state, isStuck }) => /^(done|skipped)$/.test(state) && !isStuck)).toBe(true);
  } else if (play.value === "undone") {
    expect(play.error.name).toMatch(/^(SagaCompensatedError|WorkflowCancelledError)$|^WorkflowTimeoutError$/);
    for (const [name, { undo }] of mayHaveHappened) {
      if (name.startsWith("s")) expect(undo).toMatch(/^(done|noted|skipped)$/);
    }
    for (const [, { state, undo }] of Object.entries(steps)) if (state === "refused") expect(undo).toBeUndefined();
  } else {
    expect(play.tags).toContain("stuck");
    expect(Object.values(steps).some(({ isStuck, undo }) => isStuck === true || undo === "stuck")).toBe(true);
    expect(play.letters.length).toBeGreaterThan(0);
  }
}
