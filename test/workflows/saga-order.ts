/** The saga whose node is killed: in memory and as a process. */
import { TerminalError } from "../../runtime/core/errors.ts";
import { saga } from "../../workflows/saga/saga.ts";
import type { ServiceLedger } from "./saga-ledger.ts";

/** All steps of it. */
export const steps = ["reserve", "card", "pack", "label", "capture", "ship"];

/** What goes wrong besides the crash. */
export interface Trouble {
  /** The step that fails, and how: it says that nothing was done, or leaves it open after having done it, or before. */
  readonly fails?: { readonly step: string; readonly how: "refused" | "after" | "before" };
  /** The step whose undoing fails for good. */
  readonly undoFails?: string;
  /** A cancel is sent after so many milliseconds. */
  readonly cancelAfterMs?: number;
}

/** An order: six steps, of which three stand in branches and one is the pivot. `onCall` is called before and after each effect. */
export function orderSaga(
  ledger: Pick<ServiceLedger, "do" | "undo">,
  { fails, undoFails }: Trouble,
  sleep: (ms: number) => Promise<void>,
  onCall: () => void,
) {
  const act =
    (step: string) =>
    async ({ idempotencyKey }: { readonly idempotencyKey: string }): Promise<string> => {
      onCall();
      await sleep(20);
      if (fails?.step === step && fails.how === "refused") throw new TerminalError(`${step} is refused`);
      if (fails?.step === step && fails.how === "before") throw new Error(`${step} does not answer`);
      const done = ledger.do(step, idempotencyKey);
      onCall();
      if (fails?.step === step && fails.how === "after") throw new Error(`${step} does not answer`);
      return done;
    };
  const unact =
    (step: string) =>
    async ({ idempotencyKey, doKey }: { readonly idempotencyKey: string; readonly doKey: string }): Promise<void> => {
      onCall();
      await sleep(20);
      if (undoFails === step) throw new Error(`${step} cannot be undone`);
      ledger.undo(step, idempotencyKey, doKey);
      onCall();
    };
  const both = (step: string) => ({ do: act(step), undo: unact(step) });
  return saga("order", {
    retry: { base: 50, maxAttempts: 2 },
    undoRetry: { base: 50, maxAttempts: 2 },
    settle: "5 seconds",
  })
    .step("reserve", both("reserve"))
    .all({ card: both("card"), parcel: (branch) => branch.step("pack", both("pack")).step("label", both("label")) })
    .pivot("capture", both("capture"))
    .step("ship", { do: act("ship") })
    .end();
}
