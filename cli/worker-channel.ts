/** What a worker of `statewright run --workers` and the process that started it tell each other. */
import type { ExitCode } from "./exit-codes.ts";

/** Set for a worker: it tells when it is up or has failed, and ends with the process that started it. */
export const startedAsWorker = "STATEWRIGHT_WORKER";

/** What a worker tells. */
export type WorkerMessage =
  | { readonly kind: "up" }
  /** `isFinal`: it would fail again. */
  | { readonly kind: "failed"; readonly code: ExitCode; readonly isFinal: boolean };

/** Tells the process that started this worker; resolves when it is told. */
export function tellParent(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, {}, () => resolve());
  });
}
