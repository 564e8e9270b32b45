/** Exit codes: what a script can tell from how a command ended. */

/** The exit codes of all commands, with what each says. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  auth: 3,
  notFound: 4,
  conflict: 5,
  unknown: 6,
} as const;

/** One of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The exit codes in words, for help and documentation. */
export const exitCodeMeanings: Readonly<Record<ExitCode, string>> = {
  0: "done",
  1: "failed: no server, no answer in time, dead-lettered, different when replayed, a workflow that has failed or refuses, a check of probe that does not hold, or a defect",
  2: "usage: bad arguments, or an event, name or input that is refused before anything is sent",
  3: "the server refused the credentials, or a permission is missing",
  4: "not found: no such actor, workflow, dead letter, actor type or space",
  5: "conflict: it exists already, or somebody else was faster",
  6: "unknown: probe could not make a check, and knows of none that does not hold",
};

const byTag: Readonly<Record<string, ExitCode>> = {
  InvalidOptionsError: exitCodes.usage,
  InvalidNameError: exitCodes.usage,
  InvalidEventError: exitCodes.usage,
  InvalidDefinitionError: exitCodes.usage,
  NotStorableError: exitCodes.usage,
  PayloadTooLargeError: exitCodes.usage,
  NotAuthorizedError: exitCodes.auth,
  ActorNotFoundError: exitCodes.notFound,
  LetterNotFoundError: exitCodes.notFound,
  UnknownActorTypeError: exitCodes.notFound,
  WorkflowNotFoundError: exitCodes.notFound,
  ConflictError: exitCodes.conflict,
  WorkflowConflictError: exitCodes.conflict,
};

/** Returns the exit code for whatever a command has thrown. */
export function exitCodeOf(error: unknown): ExitCode {
  if (typeof error !== "object" || error === null) return exitCodes.failed;
  const { _tag, details } = error as { readonly _tag?: unknown; readonly details?: { readonly missing?: unknown } };
  if (typeof _tag !== "string") return exitCodes.failed;
  if (_tag === "SpaceConfigError" && details?.missing === "space") return exitCodes.notFound;
  return Object.hasOwn(byTag, _tag) ? (byTag[_tag] as ExitCode) : exitCodes.failed;
}
