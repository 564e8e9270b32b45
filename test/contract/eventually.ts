/** Waits for what another process or a server brings about. */
import { setTimeout as delay } from "node:timers/promises";

/** Resolves with what `check` returns as soon as it does not throw; rejects with its last error after `limitMs`. */
export async function eventually<T>(check: () => T | Promise<T>, limitMs = 15_000): Promise<T> {
  const giveUpMs = performance.now() + limitMs;
  for (let waitMs = 1; ; waitMs = Math.min(2 * waitMs, 50)) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > giveUpMs) throw error;
    }
    await delay(waitMs);
  }
}
