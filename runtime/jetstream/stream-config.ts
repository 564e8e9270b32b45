/**
 * How the two streams of a space must be configured, why, and what differs.
 *
 * 1. Every field that decides about safety is in the table {@link rules}; nothing is left to the server's defaults.
 * 2. A difference is refused with all fields in words, or repaired when repairing it can lose nothing.
 */
import type { StreamName } from "../core/subjects.ts";
import type { StreamConfig } from "./api.ts";

/** The settings of a space that shape its streams. */
export interface StreamSettings {
  readonly historyDepth: number;
  readonly replicas: number;
  readonly maxBytes: number;
  /** True when clients may append several records at once to INGRESS. */
  readonly isAtomic: boolean;
}

interface Rule {
  readonly field: string;
  readonly role?: StreamName;
  readonly isOk: (value: unknown, settings: StreamSettings) => boolean;
  readonly mustBe: (settings: StreamSettings) => string;
  readonly why: string;
}

const isOff = (value: unknown): boolean => value === undefined || value === false;
const isUnlimited = (value: unknown): boolean => value === undefined || (typeof value === "number" && value <= 0);
const isAbsent = (value: unknown): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);
const off = (): string => "off";
const none = (): string => "absent";
const unlimited = (): string => "unlimited";

/** What an existing stream is held against. */
const rules: readonly Rule[] = [
  rule(
    "retention",
    (value) => value === "limits",
    () => '"limits"',
    "with any other retention records vanish when they are acknowledged or when nobody listens",
  ),
  rule(
    "discard",
    (value) => value === "new",
    () => '"new"',
    'with "old" a full stream silently deletes state',
  ),
  rule(
    "storage",
    (value) => value === "file",
    () => '"file"',
    "records in memory do not survive a restart",
  ),
  rule(
    "max_bytes",
    (value) => typeof value === "number" && value > 0,
    () => "a number of bytes",
    "without it an atomic batch can be torn when the server's or the account's limit is reached",
  ),
  rule("max_msgs", isUnlimited, unlimited, "the number of records must not stop an actor that has room left"),
  rule("max_age", isUnlimited, unlimited, "state and waiting messages must not expire"),
  rule(
    "max_msgs_per_subject",
    (value, { historyDepth }) => value === historyDepth,
    ({ historyDepth }) => `${historyDepth}`,
    "it is how many states of an actor are kept, and the space was created with that number",
    "core",
  ),
  rule(
    "max_msgs_per_subject",
    isUnlimited,
    unlimited,
    "a waiting message must not be replaced by another one",
    "ingress",
  ),
  rule(
    "allow_atomic",
    (value) => value === true,
    () => "on",
    "a commit is an atomic batch",
    "core",
  ),
  rule(
    "allow_atomic",
    (value, { isAtomic }) => !isAtomic || value === true,
    () => "on",
    "clients send several messages at once; switch it on, or open the space with atomicIngress: false",
    "ingress",
  ),
  rule("allow_rollup_hdrs", isOff, off, "with it one message can delete all others"),
  rule("allow_msg_ttl", isOff, off, "with it a message can expire before it is handled"),
  rule(
    "allow_msg_schedules",
    isOff,
    off,
    "with it a message can write to other subjects, and a full stream cannot refuse",
  ),
  rule("allow_msg_counter", isOff, off, "with it the server rewrites what is stored"),
  rule(
    "persist_mode",
    (value) => isAbsent(value) || value === "default" || value === "",
    () => '"default"',
    "with asynchronous writes a confirmed record may be lost",
  ),
  rule("no_ack", isOff, off, "without confirmations nobody knows what is stored"),
  rule("sealed", isOff, off, "a sealed stream takes no records"),
  rule("deny_purge", isOff, off, "handled messages are purged"),
  rule("mirror", isAbsent, none, "a mirror takes no records"),
  rule("sources", isAbsent, none, "checks are skipped for records that come from other streams"),
  rule("subject_transform", isAbsent, none, "records must keep their subjects"),
  rule("republish", isAbsent, none, "contents must not leave the stream by a way that its permissions do not cover"),
  rule("subject_delete_marker_ttl", isUnlimited, none, "markers would take the place of state"),
];

function rule(field: string, isOk: Rule["isOk"], mustBe: Rule["mustBe"], why: string, role?: StreamName): Rule {
  return { field, isOk, mustBe, why, ...(role === undefined ? {} : { role }) };
}

/** The configuration a stream is created with. */
export function streamConfig(
  name: string,
  subjects: readonly string[],
  role: StreamName,
  settings: StreamSettings,
): StreamConfig {
  return {
    name,
    description: descriptionOf(role),
    subjects: [...subjects],
    retention: "limits",
    storage: "file",
    discard: "new",
    num_replicas: settings.replicas,
    max_consumers: -1,
    max_msgs: -1,
    max_bytes: settings.maxBytes,
    max_age: 0,
    max_msg_size: -1,
    max_msgs_per_subject: role === "core" ? settings.historyDepth : -1,
    allow_atomic: role === "core" || settings.isAtomic,
    allow_direct: true,
    allow_rollup_hdrs: false,
    deny_delete: false,
    deny_purge: false,
    // The shortest there is: commits carry no message ids, and the server keeps none in memory for long.
    duplicate_window: 100_000_000,
  };
}

function descriptionOf(role: StreamName): string {
  return role === "core"
    ? "Statewright: state, mailboxes, timers and dead letters of a space. Written by its nodes only."
    : "Statewright: messages from clients to the actors of a space.";
}

/** Every unsafe difference, in words; none when the stream can be used. */
export function findDifferences(
  config: StreamConfig,
  role: StreamName,
  wanted: readonly string[],
  settings: StreamSettings,
): string[] {
  const differences = rules
    .filter((entry) => (entry.role ?? role) === role && !entry.isOk(config[entry.field], settings))
    .map(
      (entry) => `${entry.field} is ${show(config[entry.field])}, it must be ${entry.mustBe(settings)}: ${entry.why}`,
    );
  const { subjects } = config;
  const isSame =
    Array.isArray(subjects) && subjects.length === wanted.length && wanted.every((each) => subjects.includes(each));
  if (!isSame) {
    differences.unshift(
      `subjects is ${show(subjects)}, it must be ${show(wanted)}: the stream must hold these records and no others`,
    );
  }
  return differences;
}

/** Changes that make the stream as it was asked for and can lose nothing; empty when there are none. */
export function findRepairs(
  config: StreamConfig,
  role: StreamName,
  askedMaxBytes: number | undefined,
): ReadonlyArray<{ readonly field: string; readonly value: unknown; readonly words: string }> {
  const repairs: Array<{ field: string; value: unknown; words: string }> = [];
  if (config.description !== descriptionOf(role)) {
    repairs.push({ field: "description", value: descriptionOf(role), words: "the description was set" });
  }
  if (config.allow_direct !== true) {
    repairs.push({
      field: "allow_direct",
      value: true,
      words: "allow_direct was switched on, so that reading for screens does not burden the leader",
    });
  }
  if (
    askedMaxBytes !== undefined &&
    typeof config.max_bytes === "number" &&
    config.max_bytes > 0 &&
    askedMaxBytes > config.max_bytes
  ) {
    repairs.push({
      field: "max_bytes",
      value: askedMaxBytes,
      words: `max_bytes was raised from ${config.max_bytes} to ${askedMaxBytes}, as asked`,
    });
  }
  return repairs;
}

function show(value: unknown): string {
  if (value === undefined || value === null) return "absent";
  if (value === true) return "on";
  if (value === false) return "off";
  return JSON.stringify(value);
}
