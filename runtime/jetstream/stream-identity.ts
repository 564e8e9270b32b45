/**
 * Which stream this process works on, and whether it still is the same.
 *
 * A stream that was deleted and created again starts its sequences at 1: cursors and fences of the old one would silently
 * mean something else. So nobody goes on with another identity than the one found at the start.
 */
import { setTimeout as delay } from "node:timers/promises";
import { SpaceConfigError, SpaceIdentityError } from "../core/errors.ts";
import type { StreamName } from "../core/subjects.ts";
import { callApi, type StreamInfo } from "./api.ts";
import type { Connection } from "./connection.ts";
import { serverCodes } from "./server-codes.ts";

/** A stream as it was found at the start. */
export interface StreamBinding {
  /** INGRESS or CORE. */
  readonly role: StreamName;
  /** Its name on the server. */
  readonly name: string;
  readonly identity: string;
}

/** Name of a stream on the server; one for every space and role. */
export function streamNameOf(space: string, role: StreamName): string {
  return `SW_${space.replace(/[a-z]/g, (letter) => letter.toUpperCase())}_${role.toUpperCase()}`;
}

/** Returns what the server says of the stream; undefined when there is none. */
export async function findStream(connection: Connection, name: string): Promise<StreamInfo | undefined> {
  const what = `look up the stream ${name}`;
  const answer = await callApi<StreamInfo>(connection, what, `STREAM.INFO.${name}`);
  if (answer.error === undefined) return answer.value;
  if (answer.error.err_code === serverCodes.streamNotFound) return undefined;
  throw new SpaceConfigError(`Cannot ${what}: ${answer.error.description} (${answer.error.err_code}).`);
}

/**
 * Returns what the server says of the stream, which has the identity and at least the records known before.
 *
 * *Errors*: `SpaceIdentityError` when it is gone, recreated, or shorter than `knownSeq`. A cluster that is just electing may
 * say so for a moment: it is asked again for a while first.
 */
export async function verifyStream(connection: Connection, binding: StreamBinding, knownSeq = 0): Promise<StreamInfo> {
  const patienceMs = 5000;
  const deadline = performance.now() + patienceMs;
  for (let attempt = 1; ; attempt++) {
    const info = await findStream(connection, binding.name);
    if (info !== undefined && info.created !== binding.identity) {
      throw new SpaceIdentityError(
        `Cannot go on with the stream ${binding.name}: it was deleted and created again (at ${info.created}, the one known was created at ${binding.identity}). Its records are other ones; restore the old stream, or start a new space.`,
        { details: { stream: binding.name, found: info.created, known: binding.identity } },
      );
    }
    if (info !== undefined && info.state.last_seq >= knownSeq) return info;
    const isOver = info === undefined ? attempt >= 3 : performance.now() > deadline;
    if (isOver) {
      throw new SpaceIdentityError(
        info === undefined
          ? `Cannot go on with the stream ${binding.name}: it was deleted. Restore it from a backup, or start a new space.`
          : `Cannot go on with the stream ${binding.name}: it ends at sequence ${info.state.last_seq}, but ${knownSeq} was read before. It was restored from an older backup or lost records in a power cut. Stop all nodes and clients of the space, and start them again when you accept the loss.`,
        { details: { stream: binding.name, known: binding.identity, knownSeq } },
      );
    }
    await delay(200);
  }
}
