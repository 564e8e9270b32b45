/** Opens a reader, and tries again for as long as the log is not to be reached. */
import { isStatewrightError } from "../core/errors.ts";
import type { StreamName } from "../core/subjects.ts";
import type { LogReader, ReadOptions } from "../log/log.ts";
import { backoffMs, type NodeContext } from "./context.ts";

/** Reads as `Log.read` does; an opening that fails is tried again. No record is delivered after the returned function was called. */
export function readPatiently(
  context: Pick<NodeContext, "log" | "time" | "random">,
  stream: StreamName,
  options: ReadOptions,
): () => void {
  const { log, time, random } = context;
  let isStopped = false;
  let reader: LogReader | undefined;
  let cancel = (): void => {};
  const open = (attempt: number): void => {
    let opened: LogReader;
    try {
      opened = log.read(stream, options);
    } catch (error) {
      // A log that was closed has nothing more to read.
      if (isStatewrightError(error) && error._tag === "SystemStoppedError") return;
      throw error;
    }
    reader = opened;
    opened.ready.catch(() => {
      opened.stop();
      if (!isStopped) cancel = time.after(backoffMs(attempt, random), () => open(attempt + 1));
    });
  };
  open(1);
  return () => {
    isStopped = true;
    cancel();
    reader?.stop();
  };
}
