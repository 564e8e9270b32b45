/** What must be known of a server before it is trusted: its version, and whether it flushes what it confirms. */
import { SpaceConfigError } from "../core/errors.ts";
import type { Connection } from "./connection.ts";

/** Oldest releases with working atomic batches and the security fixes that matter; newer minor versions are fine. */
const oldestReleases = ["2.12.15", "2.14.5", "2.15.0"] as const;

/**
 * `always`: every record is on disk before it is confirmed. `interval`: confirmed records of the last moments are lost in a
 * power cut. `unknown`: the server does not tell ordinary users.
 */
export type SyncMode = "always" | "interval" | "unknown";

/** Refuses servers whose batches are not reliable, and ones without JetStream. */
export function checkServer(connection: Connection): void {
  const { version, jetstream, headers } = connection.info;
  if (!isSupportedVersion(version)) {
    throw new SpaceConfigError(
      `Cannot use ${connection.address}: it runs nats-server ${version}, whose atomic batches are not reliable. Upgrade it to 2.12.15, 2.14.5, 2.15 or later.`,
      { details: { version } },
    );
  }
  if (jetstream !== true) {
    throw new SpaceConfigError(
      `Cannot use ${connection.address}: JetStream is not enabled. Add "jetstream { store_dir: … }" to its configuration.`,
    );
  }
  if (headers !== true) {
    throw new SpaceConfigError(`Cannot use ${connection.address}: it does not support message headers.`);
  }
}

/** True for 2.12.15 and later 2.12, 2.14.5 and later 2.14, and all from 2.15. */
export function isSupportedVersion(version: string): boolean {
  const [major, minor, patch] = numbersOf(version);
  if (major !== 2) return major > 2;
  for (const oldest of oldestReleases) {
    const [, oldestMinor, oldestPatch] = numbersOf(oldest);
    if (minor === oldestMinor) return patch >= oldestPatch;
  }
  return minor > 15;
}

function numbersOf(version: string): [number, number, number] {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version);
  return match === null ? [0, 0, 0] : [Number(match[1]), Number(match[2]), Number(match[3])];
}

/**
 * Asks the server's monitoring page whether it flushes every write.
 *
 * The protocol does not tell: the setting is in answers to the system account and on the monitoring port only.
 */
export async function readSyncMode(monitorUrl: string | undefined): Promise<SyncMode> {
  if (monitorUrl === undefined) return "unknown";
  try {
    const response = await fetch(new URL("/varz", monitorUrl), { signal: AbortSignal.timeout(2000) });
    const page = (await response.json()) as { jetstream?: { config?: { sync_always?: boolean } } };
    const config = page.jetstream?.config;
    return config === undefined ? "unknown" : config.sync_always === true ? "always" : "interval";
  } catch {
    return "unknown";
  }
}

/** The warning for a server that may lose confirmed records; undefined when there is nothing to say. */
export function describeSyncMode(mode: SyncMode): string | undefined {
  switch (mode) {
    case "always":
      return undefined;
    case "interval":
      return "The server does not flush what it confirms: a power cut loses the confirmed messages and states of the last seconds. Set sync_interval: always in the jetstream section of its configuration.";
    case "unknown":
      return "The server does not tell whether it flushes what it confirms. Unless its configuration has sync_interval: always in the jetstream section, a power cut loses the confirmed messages and states of the last seconds.";
  }
}
