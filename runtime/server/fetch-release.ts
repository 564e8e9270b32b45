/**
 * Fetches nats-server from the upstream project's releases and checks it against the checksums published beside it.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const version = "2.15.1";
const releases = `https://github.com/nats-io/nats-server/releases/download/v${version}`;

/** How long the small list of checksums may take: if it does not come, nothing will. */
const checksumsTimeoutMs = 10_000;
const archiveTimeoutMs = 180_000;

const run = promisify(execFile);

/** How the upstream names its builds; what is not listed here is not built or not supported. */
const platforms: Partial<Record<string, string>> = {
  "linux-x64": "linux-amd64",
  "linux-arm64": "linux-arm64",
  "darwin-x64": "darwin-amd64",
  "darwin-arm64": "darwin-arm64",
};

/**
 * Downloads, checks and unpacks the release for this platform into `folder`, which must exist; returns the path of the
 * binary.
 *
 * *Errors*: a plain `Error` in words: no release for the platform, not reachable within ten seconds, checksum differs.
 */
export async function fetchRelease(folder: string, progress: (line: string) => void): Promise<string> {
  const platform = platforms[`${process.platform}-${process.arch}`];
  if (platform === undefined) throw new Error(`there is no release for ${process.platform} on ${process.arch}`);
  const name = `nats-server-v${version}-${platform}`;
  progress(`Fetching nats-server ${version} from its upstream releases (${platform})`);
  const checksums = (await download(`${releases}/SHA256SUMS`, checksumsTimeoutMs)).toString("utf8");
  const expected = findChecksum(checksums, `${name}.tar.gz`);
  if (expected === undefined) throw new Error(`the published checksums do not list ${name}.tar.gz`);
  const archive = await download(`${releases}/${name}.tar.gz`, archiveTimeoutMs);
  const actual = createHash("sha256").update(archive).digest("hex");
  if (actual !== expected) {
    throw new Error(`the checksum of ${name}.tar.gz is ${actual}, published is ${expected}; it was thrown away`);
  }
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${name}.tar.gz`);
  await writeFile(file, archive);
  await run("tar", ["-xzf", file, "-C", folder], { timeout: 60_000 });
  return join(folder, name, "nats-server");
}

/** Finds the digest of a file in the text of a `SHA256SUMS` file; undefined when it is not listed. */
export function findChecksum(checksums: string, file: string): string | undefined {
  for (const line of checksums.split("\n")) {
    const match = /^([0-9a-f]{64})\s+\*?(?:\.\/)?(\S+)\s*$/i.exec(line);
    if (match?.[2] === file) return (match[1] as string).toLowerCase();
  }
  return undefined;
}

async function download(url: string, timeoutMs: number): Promise<Buffer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    if (!response.ok) throw new Error(`${url} answers ${response.status} ${response.statusText}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    if (error instanceof DOMException) throw new Error(`${url} did not come within ${timeoutMs / 1000} s`);
    const cause = (error as Error).cause;
    if (cause instanceof Error) throw new Error(`${url} cannot be reached: ${cause.message || cause.name}`, { cause });
    throw error;
  }
}
