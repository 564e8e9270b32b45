/** How the workers of the services end: in order, when they are told to. */
import type { StatewrightNode } from "../../index.ts";

/** Resolves when SIGTERM or SIGINT has come, and the node has stopped; rejects when the node cannot go on. */
export async function untilTold(node: StatewrightNode): Promise<void> {
  const told = new Promise<void>((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.once("SIGINT", () => resolve());
  });
  await Promise.race([told, node.failed]);
  await node.stop();
}
