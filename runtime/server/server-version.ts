/**
 * Which nats-server versions are new enough, and how to ask a binary for its version.
 *
 * Older servers tear or refuse atomic batches that are valid, so the minimum is a matter of correctness. Every release
 * line got its fixes in a patch of its own: see {@link supportedVersions}.
 */
import { execFile } from "node:child_process";

/** The accepted versions, in words, for messages to people. */
export const supportedVersions = "2.12.15 or a later 2.12, 2.14.5 or a later 2.14, or 2.15 and later";

interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly isPrerelease: boolean;
}

/** Finds the version in text such as `nats-server: v2.15.1`; returns it without the `v`, or undefined. */
export function findVersion(text: string): string | undefined {
  return /\bv?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)(?![\d.])/.exec(text)?.[1];
}

function parseVersion(text: string): Version | undefined {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?(?:\+.*)?$/.exec(text);
  if (match === null) return undefined;
  return {
    major: Number(match[1]),
    minor: Number(match[2]),
    patch: Number(match[3]),
    isPrerelease: match[4] !== undefined,
  };
}

/**
 * Tells whether a nats-server of this version may be used.
 *
 * A pre-release counts as older than its release, so `2.15.0-RC.1` is refused. The line 2.13 was never released and is
 * refused as a whole. Text that is not a version is refused.
 */
export function isSupportedVersion(version: string): boolean {
  const parsed = parseVersion(version);
  if (parsed === undefined) return false;
  const { major, minor, patch, isPrerelease } = parsed;
  if (major !== 2) return major > 2;
  const minimumPatch = minor === 12 ? 15 : minor === 14 ? 5 : minor >= 15 ? 0 : Number.POSITIVE_INFINITY;
  if (patch > minimumPatch) return true;
  return patch === minimumPatch && !isPrerelease;
}

/** Orders two versions, older first; for `Array.prototype.sort`. Text that is not a version sorts first. */
export function compareVersions(left: string, right: string): number {
  const a = parseVersion(left);
  const b = parseVersion(right);
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return (
    a.major - b.major ||
    a.minor - b.minor ||
    a.patch - b.patch ||
    Number(b.isPrerelease) - Number(a.isPrerelease) ||
    left.localeCompare(right)
  );
}

/**
 * Runs `<binary> --version` and returns the version it prints.
 *
 * *Errors*: a plain `Error` that says in a few words why the binary cannot be used (missing, not executable, wrong
 * architecture, prints no version). Nothing else is thrown.
 */
export function readServerVersion(binary: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(binary, ["--version"], { timeout: 10_000 }, (error, stdout, stderr) => {
      if (error !== null) {
        const code = (error as NodeJS.ErrnoException).code;
        reject(new Error(explainExecution(code, stderr || error.message), { cause: error }));
        return;
      }
      const version = findVersion(`${stdout} ${stderr}`);
      if (version === undefined) reject(new Error("it does not print a version; is it a nats-server?"));
      else resolve(version);
    });
  });
}

function explainExecution(code: unknown, detail: string): string {
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES") return "it is not executable";
  if (code === "ENOEXEC" || code === "EBADARCH") return "it is not a program for this machine";
  return `it does not run: ${detail.trim().split("\n").slice(0, 2).join(" ")}`;
}
