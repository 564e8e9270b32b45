/** The actors' own books: what relays and sinks hold must be what was sent and told, each once and in order. */
import type { RelayContext, SinkContext } from "./actors.ts";
import type { ActorCommit, Reading, Violation } from "./oracle.ts";

const logged = new Set(["ADD", "TRY", "GATE", "SAY", "CLOSE"]);

/** Compares what every actor holds with the messages that were handled, and what sinks were told with what they have seen. */
export function checkBooks(reading: Reading, isQuiet: boolean): Violation[] {
  const violations: Violation[] = [];
  const fail = (text: string): void => {
    violations.push({ invariant: "machine", text });
  };
  const contextOf = <C>(actor: string): C | undefined => contextAfter(reading.chains.get(actor)) as C | undefined;
  for (const [actor, chain] of reading.chains) {
    if (actor.startsWith("sink/")) {
      const context = contextOf<SinkContext>(actor);
      for (const [teller, seen] of Object.entries(context?.seen ?? {})) {
        const told = contextOf<RelayContext>(teller)?.told[actor.slice("sink/".length)] ?? 0;
        if (!isCountedUp(seen, 1)) fail(`${actor} was told ${seen.join(" ")} by ${teller}`);
        if (seen.length > told || (isQuiet && seen.length < told))
          fail(`${actor} was told ${seen.length} notes by ${teller}, which told it ${told}`);
      }
      continue;
    }
    const context = contextOf<RelayContext>(actor);
    const expected = chain.flatMap((commit) =>
      commit.entries
        .filter(({ said }) => said.outcome === "applied" || said.outcome === "created")
        .filter(({ mail }) => logged.has(mail.envelope?.event?.type ?? ""))
        .map(({ mail }) => String(mail.envelope?.event?.uid)),
    );
    const held = context?.log ?? [];
    if (expected.join(" ") !== held.join(" "))
      fail(`${actor} holds ${held.join(" ")} and was sent ${expected.join(" ")}`);
    const isOpen = chain[chain.length - 1]?.state.status === "active";
    for (const [sink, told] of Object.entries(context?.told ?? {})) {
      const seen = contextOf<SinkContext>(`sink/${sink}`)?.seen[actor] ?? [];
      if (isQuiet && seen.length !== told)
        fail(`sink/${sink} has seen ${seen.length} notes of ${actor}, which told it ${told}`);
      const acks = context?.acks[`sink/${sink}`] ?? [];
      if (!isCountedUp(acks, 2)) fail(`${actor} was acknowledged ${acks.join(" ")} by sink/${sink}`);
      if (isQuiet && isOpen && acks.length !== Math.floor(told / 2))
        fail(`${actor} was acknowledged ${acks.length} times by sink/${sink}, not ${Math.floor(told / 2)}`);
    }
  }
  return violations;
}

function contextAfter(chain: readonly ActorCommit[] | undefined): unknown {
  return chain?.[chain.length - 1]?.state.snapshot?.context;
}

/** True for step, 2 × step, 3 × step and so on. */
function isCountedUp(numbers: readonly number[], step: number): boolean {
  return numbers.every((n, i) => n === (i + 1) * step);
}
