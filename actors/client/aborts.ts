/** Abort signals, listened to once however many calls they are given to: Node warns of a leak from the eleventh listener on. */

const calls = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `run` when the signal, which is not aborted yet, is aborted; the returned function takes that back. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  let waiting = calls.get(signal);
  if (waiting === undefined) {
    const all = new Set<() => void>();
    const onEvent = () => {
      calls.delete(signal);
      for (const each of [...all]) each();
    };
    waiting = all;
    calls.set(signal, all);
    signal.addEventListener("abort", onEvent, { once: true });
  }
  const joined = waiting;
  joined.add(run);
  return () => void joined.delete(run);
}

/** Settles as the promise does, or rejects with the signal's reason when that comes first. */
export function untilAborted<A>(promise: Promise<A>, signal: AbortSignal | undefined): Promise<A> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAborted = (): void => reject(signal.reason);
    if (signal.aborted) {
      promise.catch(() => {});
      onAborted();
      return;
    }
    const forget = onAbort(signal, onAborted);
    promise.then(resolve, reject).finally(forget);
  });
}
