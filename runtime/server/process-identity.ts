/**
 * Tells processes apart even after their ids are used again.
 *
 * A process id alone says little: ids are recycled, and a process that has ended but was not collected by its parent
 * still answers to signals. An identity is the id together with the time the process began.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A process as it can be stored in a file and recognised later. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it began, in a form only comparable on the same machine and boot. */
  readonly startedAt: string;
}

/** Identifies a running process; undefined when there is none of this id (one that has only not been collected counts as none). */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === "linux" ? startFromProc(pid) : startFromPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** True while the very process that was identified runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startedAt === identity.startedAt;
}

function startFromProc(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses and may hold anything; the others follow its last one.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function startFromPs(pid: number): string | undefined {
  try {
    const text = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return text === "" || text.startsWith("Z") ? undefined : text.slice(text.indexOf(" ")).trim();
  } catch {
    return undefined;
  }
}
