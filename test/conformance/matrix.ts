/**
 * The conformance matrix: every feature of XState 5, whether it works on Statewright, and how, or why not. `npm run docs:xstate` makes docs/xstate.md of it.
 *
 * 1. A row that says that something works is shown to be right by a scenario that covers it, or by a test in rows.test.ts.
 * 2. Whatever XState exports is named in some row.
 */

/** What becomes of a feature. */
export type Works =
  | "yes"
  /** It works, but not quite as on a live actor. */
  | "different"
  | "no";

/** One feature. */
export interface MatrixRow {
  /** What scenarios name in `covers`. */
  readonly id: string;
  /** Markdown. */
  readonly feature: string;
  readonly works: Works;
  /** How, or why not, in Markdown; empty: as in XState, decided within the step. */
  readonly how: string;
}

/** Features that belong together. */
export interface MatrixSection {
  readonly title: string;
  readonly rows: readonly MatrixRow[];
}

const yes = (id: string, feature: string, how = ""): MatrixRow => ({ id, feature, works: "yes", how });
const different = (id: string, feature: string, how: string): MatrixRow => ({ id, feature, works: "different", how });
const no = (id: string, feature: string, how: string): MatrixRow => ({ id, feature, works: "no", how });

export const matrix: readonly MatrixSection[] = [
  {
    title: "States",
    rows: [
      yes("initial.state", "`initial` of a machine and of a compound state"),
      yes("initial.nested", "initial descendants down to an atomic state"),
      yes("initial.actions", "`initial: { target, actions }`"),
      yes("parallel.enter", '`type: "parallel"`: all regions are entered'),
      yes("parallel.exit", "all regions are left, in reverse order"),
      yes("parallel.independent", "regions move on their own"),
      yes("parallel.select", "one event moves every region that has a transition for it"),
      yes("parallel.conflict", "transitions of two regions that exclude each other: the first wins"),
      yes("parallel.raise", "an event raised in one region reaches the others"),
      yes("parallel.internal", "a transition of the parallel state into one region"),
      yes("parallel.nested", "parallel states within each other"),
      yes("parallel.atomic-regions", "regions without states of their own"),
      yes(
        "final.machine",
        "a top-level final state ends the machine",
        "The actor stays as a tombstone with its output; what comes for it later is counted as ignored.",
      ),
      yes("final.ignored", "an ended machine takes no more events"),
      yes("final.on-done", '`type: "final"` in a compound state, and `onDone`'),
      yes("final.output", "`output` of a final state"),
      yes("final.done-event", "the event `xstate.done.state.<id>`"),
      yes("final.nested", "done goes up one level at a time"),
      yes("final.parallel", "a parallel state is done when all its regions are"),
      yes("final.exit", "exit actions run when the machine ends"),
      yes(
        "history.shallow",
        '`type: "history"`, `history: "shallow"` or `true`',
        "What history remembers is stored with the state.",
      ),
      yes("history.deep", '`history: "deep"`'),
      yes("history.default", "a history state's default `target`"),
      yes("history.initial", "history as the initial state"),
      yes("history.nested", "histories of parent and child"),
      yes("history.parallel", "history of parallel states"),
      yes("history.reenter", "leaving a state and going back to where it was"),
      yes("history.update", "history is what it was when its parent was left last"),
      yes("state.names", "names of states: any string"),
      yes(
        "tags.state",
        "`tags` of states",
        "Stored with the state: clients read `view.tags` and `view.hasTag()`, and wait for `{ tag }`.",
      ),
      yes("tags.parallel", "tags of all active states together"),
      yes("tags.final", "tags of an ended machine"),
      yes(
        "meta.state",
        "`meta` of states",
        "Part of the machine, not stored; `snapshot.getMeta()` works where the machine is at hand.",
      ),
      yes("meta.transition", "`meta` of transitions"),
      yes("description.state", "`description`"),
    ],
  },
  {
    title: "Events and transitions",
    rows: [
      yes(
        "event.exact",
        "event types",
        "The types that begin with `xstate.` or `statewright.`, the empty one and `*` are refused from outside: they become dead letters.",
      ),
      yes(
        "event.payload",
        "what an event carries",
        "Anything the codec can store, see *Values*. Schemas at the door are optional.",
      ),
      yes("event.wildcard", "the wildcard `*`"),
      yes("event.partial", "partial descriptors `mouse.*`"),
      yes(
        "event.forbidden",
        "forbidden transitions `EVENT: undefined`, `EVENT: {}`",
        "Counted as taken, not as ignored: it is how a machine says that it means to ignore an event.",
      ),
      yes("event.child-first", "a child's transition comes before its parent's"),
      yes(
        "event.unhandled",
        "an event that no transition names changes nothing",
        "Counted, and in the actor's history with the outcome `ignored`.",
      ),
      yes("event.order", "events are taken one after the other", "In the order in which one sender sent them."),
      yes("transition.order", "several transitions for one event: the first whose guard holds"),
      yes("transition.document-order", "several regions move in document order"),
      yes("transition.external", "the order of a transition: leave, act, enter"),
      yes("transition.internal", "transitions within their source"),
      yes("transition.reenter", "`reenter: true`"),
      yes("transition.self", "self-transitions"),
      yes("transition.targetless", "transitions without a target"),
      yes("transition.root", "transitions of the root"),
      yes("transition.lca", "the least common ancestor: what is left and entered on the way"),
      yes("target.sibling", "a target by name: a sibling"),
      yes("target.path", "target `sibling.child`"),
      yes("target.relative", "target `.child`"),
      yes("target.id", "target `#id`"),
      yes("target.absolute", "target `#machine.path`"),
      yes("target.compound", "a compound state as target"),
      yes("target.deep", "a target deep below"),
      yes("target.multiple", "several targets"),
      yes("target.list", "a list of one target"),
      yes("eventless.simple", "`always`"),
      yes("eventless.guard", "guards of `always`"),
      yes("eventless.order", "of several `always` the first whose guard holds"),
      yes(
        "eventless.chain",
        "chains of `always`",
        "A circle is given up after `options.maxIterations` microsteps, 1000 if the machine does not say: the message becomes a dead letter that names the machine. A live actor hangs.",
      ),
      yes("eventless.child-first", "a child's `always` comes before its parent's"),
      yes("eventless.before-raise", "`always` comes before raised events"),
      yes("eventless.event", "`always` sees the event"),
      yes("eventless.initial", "`always` in the initial state"),
      yes("eventless.final", "`always` to the end"),
      different(
        "eventless.parallel",
        "`always` in regions",
        "When several regions have one at the same time, they are taken in document order. A live actor takes them in the order in which the states were entered, which it forgets with every restore.",
      ),
      yes("eventless.root", "`always` of the root"),
      yes("eventless.targetless", "`always` without a target"),
      yes("transition.loop", "`options.maxIterations`", "Default 1000 where XState has none."),
      no(
        "transition.route",
        "`route` and the event `xstate.route`",
        "Refused when the actor is defined: the event is one of XState's own, which nobody may send. Use `on` at the root.",
      ),
    ],
  },
  {
    title: "Guards",
    rows: [
      yes("guard.inline", "inline guards"),
      yes("guard.named", "guards by name"),
      yes("guard.params", "params of guards: `{ type, params }`"),
      yes("guard.params-dynamic", "params of guards made of context and event"),
      yes("guard.order", "guards are asked in order"),
      yes("guard.fallthrough", "no guard of a child holds: the parent is asked"),
      yes("guard.context", "guards see the context before the transition"),
      yes("guard.and", "`and`"),
      yes("guard.or", "`or`"),
      yes("guard.not", "`not`"),
      yes("guard.stateIn", "`stateIn`"),
      different(
        "guard.throws",
        "a guard that throws",
        "The error is handed on as it was thrown, so that `TerminalError` and `RetryableError` count; XState wraps it in an error that names the guard.",
      ),
    ],
  },
  {
    title: "Context, input, output, values",
    rows: [
      yes(
        "context.static",
        "`context: { … }`",
        "Every actor gets a copy of its own; on live actors they share the object.",
      ),
      yes("context.lazy", "`context: ({ input, spawn, self }) => …`"),
      yes("context.shape", "assigns that add fields to the context"),
      no(
        "context.frozen",
        "assigns that change the context in place",
        "Contexts are frozen deeply: such an assign throws `TypeError`, and the message is tried again and becomes a dead letter. Return what is new.",
      ),
      yes(
        "input.context",
        "`input` of a machine",
        "`client.create(ref, input)`, checked by the definition's schema; or made from the id, for actors that come into being with their first event.",
      ),
      yes("input.guard", "guards that see the input"),
      yes("input.absent", "machines without input"),
      yes("input.action", "the event `xstate.init` with the input"),
      yes("machine.output", "`output` of a machine", "In the view of an ended actor, and in the parent's `onDone`."),
      yes("assign.object", "`assign({ … })`"),
      yes("assign.function", "`assign(() => …)`"),
      yes("assign.sequence", "assigns build on each other"),
      yes("assign.params", "named assigns with params"),
      yes("assign.nested", "nested contexts"),
      yes(
        "value.undefined",
        "`undefined`, also in lists",
        "By the codec, as all values below, wherever a value is stored: in contexts, events, inputs, outputs, timers. Plain JSON stays plain JSON.",
      ),
      yes("value.number", "numbers, the largest and the smallest"),
      yes("value.nan", "`NaN`"),
      yes("value.infinity", "`Infinity`"),
      yes("value.minus-zero", "`-0`"),
      yes("value.bigint", "big integers"),
      yes("value.date", "`Date`"),
      yes("value.map", "`Map`"),
      yes("value.set", "`Set`"),
      yes("value.error", "errors"),
      yes("value.regexp", "`RegExp`"),
      yes("value.url", "`URL`"),
      yes("value.typed-array", "typed arrays"),
      yes("value.array-buffer", "`ArrayBuffer`"),
      yes("value.keys", "keys such as `__proto__`"),
      yes("value.input", "all of these in input"),
      yes("value.output", "all of these in output"),
      yes("value.emitted", "all of these in emitted events"),
      yes("value.timer", "all of these in delayed events"),
      yes("value.actors", "all of these in what passes between actors, promises and callbacks"),
      no(
        "values.refused",
        "functions, symbols, cycles and instances of classes in contexts and events",
        "Cannot be stored: the message becomes a dead letter with `NotStorableError`, which names the path; in a static context they are refused when the actor is defined.",
      ),
    ],
  },
  {
    title: "Actions",
    rows: [
      different(
        "action.context",
        "custom actions: functions",
        "Run once, after the commit, with the context as it was at their place; never twice for one commit. If the process dies in between they are lost: what must happen is `tell`, `publish`, `emit` or an activity. What they throw or reject with is told to the node's listener, and ends nothing.",
      ),
      yes("action.named", "actions by name, objects `{ type }`"),
      yes("action.params", "params of actions: `{ type, params }`"),
      yes("action.params-dynamic", "params of actions made of context and event"),
      yes("action.event", "actions see the event"),
      yes("action.entry", "`entry`"),
      yes("action.exit", "`exit`"),
      yes(
        "action.order",
        "the order of actions: exit, transition, entry",
        "Actions of one actor run in the order of its steps, after what they belong to was committed.",
      ),
      yes("action.none", "what is not taken runs no actions"),
      yes("action.async", "actions that return promises", "Nobody waits for them, as in XState."),
      different(
        "action.send",
        "`self.send()` and `ref.send()` in custom actions",
        "Sent after the commit; lost if the process dies in between. Use `sendTo`, `raise` or `tell`. In guards and assigns it is refused.",
      ),
      different(
        "action.unknown",
        "a name without an implementation",
        "Refused when the actor is defined, with the place. A live actor does nothing.",
      ),
      yes("raise.immediate", "`raise`"),
      yes("raise.expression", "`raise(({ context, event }) => …)`"),
      yes("raise.order", "raised events are taken in order"),
      yes("raise.nested", "events raised while a raised event is taken"),
      yes("raise.initial", "`raise` on entry of the initial state"),
      yes("raise.unhandled", "a raised event that nothing takes is gone"),
      yes("enqueueActions.order", "`enqueueActions(({ enqueue }) => …)`"),
      yes("enqueueActions.context", "context and event in `enqueueActions`"),
      yes("enqueueActions.check", "`check` in `enqueueActions`"),
      yes("enqueueActions.named", "named actions with params in `enqueue`"),
      yes("enqueueActions.nested", "`enqueueActions` within each other"),
      yes("enqueueActions.raise", "`enqueue.raise`"),
      yes("enqueueActions.sendTo", "`enqueue.sendTo`"),
      yes("enqueueActions.emit", "`enqueue.emit`"),
      yes(
        "enqueueActions.actors",
        "`enqueue.assign` with `spawn`, `enqueue.spawnChild`, `stopChild`, `sendParent`, `cancel`, `forwardTo`",
      ),
      yes(
        "log.value",
        "`log(value)`",
        "Written to the node's listener after the commit, as `actor.log` with the actor's address; lost if the process dies in between.",
      ),
      yes("log.expression", "`log(({ context }) => …)`"),
      yes("log.label", "`log(value, label)`"),
      yes("log.default", "`log()`"),
      yes("log.child", "`log` of a child", "With the child's address."),
      yes("assertEvent.type", "`assertEvent`"),
      yes("stopChild.alias", "`stop`, XState's old name of `stopChild`"),
    ],
  },
  {
    title: "emit",
    rows: [
      yes(
        "emit.event",
        "`emit({ … })`",
        "Committed with the state; delivered to `client.on(ref, type)` and to a durable subject with CloudEvents headers, in order and not lost by a crash.",
      ),
      yes("emit.expression", "`emit(({ context, event }) => …)`"),
      yes("emit.order", "emitted events keep their order"),
      yes("emit.initial", "`emit` on entry of the initial state"),
      yes("emit.final", "`emit` at the end"),
      yes("emit.wildcard", 'listening to all types: `on("*")`', '`client.on(ref, "*", …)`.'),
      yes("emit.child", "children emit for themselves", "Under the child's own address."),
    ],
  },
  {
    title: "Delays",
    rows: [
      yes(
        "after.numeric",
        "`after: { 1000: … }`",
        "A timer record in the commit of the transition that sets it. The partition's owner fires it by a step whose commit takes it off the state's list of timers: once, and never for a state that was left. What came due while everything was down is fired at the takeover. Delays may be years.",
      ),
      yes("after.named", "`after: { name: … }`: named delays"),
      yes("after.dynamic", "delays made of context and event"),
      yes("after.guard", "guards of delayed transitions: asked when the time has come"),
      yes("after.once", "a delay comes once for each time that its state is entered"),
      yes(
        "after.cancelled",
        "a state that was left in time is not left again by its delay",
        "Nothing is deleted: what is not on the state's list does nothing.",
      ),
      yes("after.restart", "entering a state anew begins its delays anew"),
      yes("after.kept", "transitions that stay in the state leave its delays running"),
      yes("after.several", "several delays of one state"),
      yes("after.same-time", "delays that are due at the same time come in the order in which they were set"),
      yes("after.same-step", "delays set and cancelled within one step"),
      yes("after.zero", "a delay of zero", "A step of its own."),
      yes("after.long", "delays of years"),
      yes("after.chain", "chains of delays"),
      yes("after.parent", "delays of parent and child states"),
      yes("after.parallel", "delays in regions"),
      yes("after.root", "delays of the root"),
      yes("after.targetless", "delayed transitions without a target"),
      yes("after.final", "delays that end the machine"),
      yes("after.event", "the event `xstate.after.…`"),
      yes("after.macrostep", "what a delayed transition raises"),
      yes("raise.delay", "`raise(…, { delay })`"),
      yes("raise.delay-dynamic", "`raise` with a delay made of context and event"),
      yes("raise.delay-named", "`raise` with a named delay"),
      yes("raise.zero-delay", "`raise` with a delay of zero: a step of its own"),
      yes("raise.outlives-state", "delayed events outlive the state that set them"),
      yes("raise.periodic", "an event that is raised again and again"),
      yes("raise.id", "`raise(…, { id })`"),
      yes("raise.same-id", "two timers with the same id: both come"),
      yes("sendTo.delay", "`sendTo(self, …, { delay })`"),
      yes(
        "send.delayed",
        "`sendTo(child, …, { delay })`, `sendParent(…, { delay })`",
        "The sender's timer: it dies with the sender.",
      ),
      yes("cancel.id", "`cancel(id)`"),
      yes("cancel.dynamic", "`cancel(({ context, event }) => id)`"),
      yes("cancel.after", "`cancel` of what `after` has set"),
      different(
        "cancel.same-id",
        "`cancel` of one of two timers with the same id: the newer one",
        "Also when the other one has fired already; a live actor has forgotten the id by then, and cancels nothing.",
      ),
      yes("cancel.same-step", "a timer that is set and cancelled in one list of actions"),
      yes("cancel.restart", "a timer that is cancelled and set anew"),
      yes("cancel.late", "`cancel` of what has come already"),
      yes("cancel.unknown", "`cancel` of an id that nobody has"),
      yes("enqueueActions.cancel", "`enqueue.cancel`"),
      yes("send.cancel", "`cancel` of messages to other actors"),
      yes("actors.timers", "timers of children die with them, and start anew with them"),
    ],
  },
  {
    title: "Actor logic",
    rows: [
      yes(
        "logic.machine",
        "machines as children",
        "Durable actors with an address below their parent's (`order/42/~payment`), in their root's partition. Every message between them is durable.",
      ),
      yes("logic.transition", "`fromTransition`", "A durable actor like a machine."),
      yes(
        "logic.promise",
        "`fromPromise`",
        "An activity: a task record in the commit, run by a worker of any node that knows the actor, its result a message that is applied once. It runs at least once.",
      ),
      yes(
        "promise.attempts",
        "a rejection is final",
        "One attempt per rejection, as in XState; a worker that was lost is replaced by another one, so the function may run again. With a retry policy, timeouts, heartbeat and limits: `defineActivity`.",
      ),
      different(
        "promise.args",
        "what promise logic is given",
        "`input`, `signal`, and the ids of `self` and its parent. `emit`, `system` and `self.send` are refused, since it runs in a worker: return a value, and let the machine act on it.",
      ),
      different(
        "logic.callback",
        "`fromCallback`",
        "Runs in the process of the actor's owner while its state is active, and is started again from its input when another node takes the actor over. What it sends goes through the mailbox; what had not got there when the process died is lost.",
      ),
      different("logic.observable", "`fromObservable`", "As callbacks: subscribed again after a takeover."),
      different("logic.eventObservable", "`fromEventObservable`", "As callbacks: subscribed again after a takeover."),
      no(
        "logic.own",
        "actor logic that you write yourself",
        "Refused when the actor is defined when it could not be kept: logic with a life of its own (`start`) runs as callbacks do; other logic has a state that nobody knows how to store.",
      ),
      no("logic.empty", "`createEmptyActor`", "An actor that is not part of a machine: nothing to make durable."),
    ],
  },
  {
    title: "invoke",
    rows: [
      yes("invoke.onDone", "`onDone`"),
      yes(
        "invoke.onError",
        "`onError`",
        "For promises: after the last attempt. For machines: after the child's retry policy has given up; then it has the status `error`.",
      ),
      different(
        "invoke.onSnapshot",
        "`onSnapshot`",
        "A message for every state of the child. The snapshot has value, context, status, tags, `matches`, `hasTag`, `can` and `getMeta`; its `children` are not filled in.",
      ),
      yes("invoke.input", "`input`: static, or made of context, event and self"),
      yes("invoke.id", "`id`, and the default id", "The child's address is made of it."),
      yes("invoke.several", "several invocations of one state"),
      yes("invoke.root", "`invoke` at the root"),
      yes(
        "invoke.exit",
        "leaving the state stops the child",
        "A child machine is told by a message in the commit; a promise's signal is aborted, and its late result is dropped.",
      ),
      yes(
        "invoke.reenter",
        "reentering the state makes a fresh child",
        "A new generation at the same address: what comes from the old one is dropped.",
      ),
      yes(
        "invoke.inline",
        "logic written into the invocation",
        "Known by the state and its place: do not move it while actors are in that state.",
      ),
      yes("invoke.systemId", "`systemId`"),
    ],
  },
  {
    title: "spawn",
    rows: [
      yes("spawn.assign", "`spawn` in `assign` and in the context's factory"),
      yes("spawn.spawnChild", "`spawnChild`"),
      yes("spawn.stopChild", "`stopChild` by id, reference or function"),
      yes("spawn.input", "`input` of spawned actors"),
      yes("spawn.dynamicId", "ids made of context and event"),
      yes("spawn.noId", "spawned actors without an id", "They get a name that the parent never gives again."),
      different(
        "spawn.sameId",
        "spawning an id that is taken",
        "The child that has it is stopped first: an address is one actor's. On live actors the old child goes on without a name.",
      ),
      yes("spawn.syncSnapshot", "`syncSnapshot`"),
      different(
        "spawn.inline",
        "logic that is not in `setup({ actors })`",
        "`spawnChild(logic)` in the machine's definition is found again by its place. `spawn(logic)` in an assign and `enqueue.spawnChild(logic)` are refused at the step, since nothing would find them after a restart: name the logic in `setup({ actors })`.",
      ),
    ],
  },
  {
    title: "Messages between actors",
    rows: [
      different(
        "send.sendTo",
        "`sendTo` by id, reference or function",
        "A durable message, committed with the state that sends it, and taken after what is already in the receiver's mailbox. A live actor's child answers before the next event is taken.",
      ),
      yes("sendTo.self", "`sendTo(({ self }) => self, …)`"),
      yes("send.sendParent", "`sendParent`"),
      yes("send.forwardTo", "`forwardTo`, also from a wildcard"),
      yes("send.order", "messages from one actor to another keep their order"),
      yes("send.ended", "messages for an actor that has ended are dropped", "Counted as ignored."),
      different(
        "send.unknown",
        "`sendTo` to an id that is nobody's",
        "A `TerminalError` at the step: the message that caused it becomes a dead letter, the actor stays as it was. A live actor ends with an error.",
      ),
      yes("actors.isolated", "two children of one machine never mix"),
      yes("actors.output", "output of a child, in `onDone`"),
      yes("actors.tree", "children of children"),
      yes(
        "actors.stop",
        "what ends with what",
        "An actor that ends stops its children, and they theirs, by messages in the commit. No exit actions run in them, as in XState.",
      ),
      yes(
        "refs.context",
        "actor references in contexts",
        "Stored as addresses, with the generation: a later child of the same name is another actor.",
      ),
      yes("refs.events", "actor references in events: reply-to"),
      yes("refs.input", "actor references in input, `({ self }) => …`"),
      yes("refs.output", "actor references in output"),
      no(
        "refs.read",
        "`getSnapshot()`, `subscribe()` and `on()` of a reference or of `self` in guards, assigns and actions",
        "Refused at the step: another actor's state is not at hand. Use `onSnapshot`, messages, or a client.",
      ),
    ],
  },
  {
    title: "Errors",
    rows: [
      different(
        "actors.error",
        "a child that throws",
        "Its message is tried again by the retry policy; when that gives up, the message is a dead letter, the child has the status `error`, and the parent gets `onError`, unless the definition has it begun anew (`children: { name: { restart } }`). On a live actor the first error ends the child.",
      ),
      different(
        "errors.root",
        "a root that throws",
        "Its message is tried again by the retry policy, then becomes a dead letter that can be redriven; the actor stays as it was and goes on. A live root ends with the status `error`.",
      ),
      yes(
        "errors.unhandled",
        "a child's error that nobody handles ends its parent",
        "With the status `error`; its own parent is told.",
      ),
      yes("errors.spawned", "errors of spawned actors: `xstate.error.actor.<id>`"),
      yes(
        "errors.fields",
        "name, message, code, data and cause of errors",
        "They come back as `Error`, or as the built-in class of that name; classes of your own are recognised by `name` or `code`, not by `instanceof`.",
      ),
    ],
  },
  {
    title: "The actor system",
    rows: [
      different(
        "system.get",
        "`systemId` and `system.get(id)`",
        "A reference by way of the root, which knows the holders of all system ids of its tree. For an id that is nobody's it throws at the root, and elsewhere the message becomes a dead letter of the root; on a live actor it is `undefined`, and `sendTo(undefined)` reaches the sender itself.",
      ),
      yes("system.siblings", "actors that find each other by system ids"),
      yes("system.reuse", "a system id is free again when its actor has ended"),
      no("system.getAll", "`system.getAll()`", "Refused at the step: only the root knows all ids."),
      no(
        "system.inspect",
        "`system.inspect()` and the `inspect` option: `@xstate.event`, `@xstate.snapshot`, `@xstate.action`, `@xstate.actor`, `@xstate.microstep`, `@xstate.transition`",
        "Use `client.history`, `client.watch` and the node's `onEvent`.",
      ),
      no(
        "system.clock",
        "`clock`, `SimulatedClock`",
        "Time is the node's. Tests have virtual time: `statewright/testing`.",
      ),
      no("system.logger", "the `logger` option", "`log` writes to the node's `onEvent`."),
      no(
        "system.devTools",
        "`devTools`, `xstate/dev`: `devToolsAdapter`, `registerService`, `getGlobal`",
        "They look at live actors.",
      ),
    ],
  },
  {
    title: "Setup",
    rows: [
      yes("machine.setup", "`setup({ types, actors, actions, guards, delays }).createMachine()`"),
      yes("machine.createMachine", "`createMachine` alone, also with implementations"),
      yes("machine.types", "`types`"),
      yes("machine.id", "`id` of machines and states"),
      yes("machine.stateless", "machines without states"),
      yes("setup.extend", "`setup().extend()`"),
      yes("setup.createStateConfig", "`setup().createStateConfig()`"),
      yes(
        "setup.actions",
        "`setup().createAction()`, and `assign`, `sendTo`, `raise`, `log`, `cancel`, `emit`, `spawnChild`, `stopChild`, `enqueueActions` of a setup",
      ),
      yes("machine.provide", "`machine.provide({ actions, guards, delays })`"),
      yes("provide.actors", "`machine.provide({ actors })`"),
      yes(
        "machine.version",
        "`version`",
        "Stored with every state: a changed machine is noticed when a node starts, and `migrate` takes states from one version to the next.",
      ),
      no(
        "machine.schemas",
        "`schemas`",
        "XState keeps them and does nothing with them. Schemas at the door are `defineActor({ events, input })`.",
      ),
    ],
  },
  {
    title: "Snapshots",
    rows: [
      yes(
        "snapshot.ofChild",
        "the snapshot in `onSnapshot`: `value`, `context`, `status`, `output`, `error`, `tags`, `matches()`, `hasTag()`, `can()`, `getMeta()`",
      ),
      no(
        "snapshot.ofPromise",
        "the snapshot of a promise that is under way",
        "A promise shows nothing before its end: there is `onDone` and `onError`.",
      ),
      yes(
        "view.fields",
        "`value`, `context`, `status`, `output`, `error`, `tags` of an actor",
        "In the view that `client.get`, `watch`, `waitFor` and `ask` give.",
      ),
      yes("view.matches", "`matches()` and `hasTag()`", "In the view."),
      different(
        "view.can",
        "`can()`, `getMeta()`, `getNextTransitions()`",
        "A view has no machine. Make a snapshot of it: `machine.resolveState(view)`.",
      ),
      different(
        "view.children",
        "`children`",
        'In the view: names, kinds, and the addresses at which children that are actors are read: `client.get("order/42/~payment")`. Timers are in the view, too.',
      ),
      no(
        "view.internals",
        "`historyValue`, `machine`, `toJSON()`",
        "A view shows what the actor is, not how it is stored.",
      ),
    ],
  },
  {
    title: "Actors from outside",
    rows: [
      different(
        "api.createActor",
        "`createActor`, `interpret`, `actor.start()`",
        "A definition and an id are an actor: `defineActor` and `client.send` or `client.create`. Machines still run in a live actor too; `tell`, `publish` and `reply` do nothing there.",
      ),
      different(
        "api.send",
        "`actor.send(event)`",
        "`client.send(ref, event)` resolves when the event is on disk, `client.ask` when it was applied.",
      ),
      different(
        "api.subscribe",
        "`actor.subscribe`, `actor.select`, `toObserver`",
        "`client.watch(ref)`: an async iterator of views.",
      ),
      different("api.on", "`actor.on(type, …)`", "`client.on(ref, type, …)`."),
      different("api.getSnapshot", "`actor.getSnapshot()`", "`client.get(ref)`: the newest committed state."),
      different(
        "api.waitFor",
        "`waitFor`, `toPromise`",
        '`client.waitFor(ref, condition)`, `client.waitFor(ref, "done")`.',
      ),
      no(
        "api.stop",
        "`actor.stop()`",
        "A root cannot be stopped from outside: give its machine an event that leads to a final state.",
      ),
      no(
        "api.persist",
        "`actor.getPersistedSnapshot()`, `createActor(machine, { snapshot })`, `restoreSnapshot`",
        "Every state is persisted, with its timers and children.",
      ),
    ],
  },
  {
    title: "Functions of XState beside the actors",
    rows: [
      yes(
        "pure.transition",
        "`transition`, `initialTransition`, `getMicrosteps`, `getInitialMicrosteps`, `getInitialSnapshot`, `getNextSnapshot`",
        "A machine that was given to `defineActor` stays as it is: they work on it as before.",
      ),
      yes(
        "pure.state",
        "`matchesState`, `pathToStateValue`, `getStateNodes`, `mapState`, `isMachineSnapshot`, `machine.resolveState`, `evaluateGuard`, `__unsafe_getAllOwnEventDescriptors`",
        "The same; `matchesState` takes the `value` of a view.",
      ),
      yes(
        "pure.graph",
        "`xstate/graph`: `getShortestPaths`, `getSimplePaths`, `getPathsFromEvents`, `createShortestPathsGen`, `createSimplePathsGen`, `getAdjacencyMap`, `adjacencyMapToArray`, `joinPaths`, `serializeSnapshot`, `toDirectedGraph`, `TestModel`, `createTestModel`",
        "The same.",
      ),
      yes(
        "pure.types",
        "`SnapshotFrom`, `ActorRefFrom`, `EventFrom`, `ContextFrom`, `InputFrom`, `OutputFrom`, `EmittedFrom` and other types",
        "The same; definitions have `EventOf`, `ContextOf`, `InputOf`, `OutputOf`, `EmittedOf`.",
      ),
      no(
        "pure.classes",
        "`Actor`, `StateMachine`, `StateNode`, `SpecialTargets`",
        "Classes and names of XState's own; a machine made by `createMachine` or `setup` is a `StateMachine`.",
      ),
    ],
  },
];
