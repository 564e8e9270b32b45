/** What the clients of simulated worlds say, by the names that plans have for it. */
import type { Envelope } from "../../runtime/core/envelope.ts";
import type { Message } from "./plan.ts";

/** The content of a message; `uid` is its name in the actor's log. */
export function contentOf(message: Message, uid: string, sink: string): Pick<Envelope, "kind" | "event" | "input"> {
  const event = (event: { readonly type: string; readonly [field: string]: unknown }) => ({
    kind: "event" as const,
    event,
  });
  switch (message) {
    case "add":
      return event({ type: "ADD", uid, sink });
    case "flaky":
      return event({ type: "TRY", uid, sink, failures: 2 });
    case "slow":
      return event({ type: "TRY", uid, sink, failures: 1, afterMs: 250 });
    case "poison":
      return event({ type: "POISON", uid });
    case "refuse":
      return event({ type: "REFUSE", uid });
    case "gate":
      return event({ type: "GATE", uid, isTerminal: uid.endsWith("1") || uid.endsWith("4") });
    case "say":
      return event({ type: "SAY", uid });
    case "close":
      return event({ type: "CLOSE", uid });
    case "unknown-event":
      return event({ type: "HUH", uid });
    case "reserved":
      return event({ type: "xstate.stop", uid });
    case "create":
      // Every fourth is refused by the schema.
      return { kind: "create", input: uid.endsWith("3") ? {} : { title: uid } };
  }
}
