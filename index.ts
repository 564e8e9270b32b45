/** Statewright: XState state machines as durable actors on NATS JetStream. */

export type { NodeSummary, PartitionSummary, Quantiles } from "./actors/client/space-stats.ts";
export type { LetterCounts } from "./actors/client/stored-stats.ts";
export type {
  ActorTypeInfo,
  AskOptions,
  AskResult,
  Client,
  CreateResult,
  DurationInput,
  Emitted,
  EmittedInfo,
  EmittedOptions,
  HistoryOptions,
  MigrateResult,
  OnOptions,
  ReadOptions,
  SendOptions,
  SendReceipt,
  SpaceStats,
  StatsOptions,
  Subscription,
  WaitCondition,
  WaitOptions,
} from "./actors/client.ts";
export { type ConnectOptions, connect } from "./actors/connect.ts";
export type {
  ChangeAllOptions,
  DeadLetter,
  DeadLetterExpiredEvent,
  DeadLetteredEvent,
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterSummary,
  DeadLetters,
  DropProgress,
  EditOptions,
  ExportedLetter,
  ImportReport,
  ListDeadLetters,
  PreviewLetterOptions,
  RedriveAllOptions,
  RedriveOptions,
  RedriveProgress,
  RedriveResult,
  ReleaseOptions,
  ReleaseResult,
} from "./actors/dead-letters.ts";
export {
  type ActivityDefinition,
  type ActivityOptions,
  type ActivityRate,
  type ActivityRun,
  type AnyActivityDefinition,
  defineActivity,
} from "./actors/define-activity.ts";
export {
  type ActorDefinition,
  type ActorOptions,
  type ActorRef,
  type AnyActorDefinition,
  type ContextOf,
  defineActor,
  type EmittedOf,
  type EventOf,
  type EventSchemas,
  type InputOf,
  type MigrateOption,
  type OutputOf,
  type PayloadSchema,
} from "./actors/define-actor.ts";
export type { SpaceOptions } from "./actors/space-options.ts";
export { type DeadLetterLimits, type NodeOptions, type StatewrightNode, startNode } from "./actors/start-node.ts";
export type { ChildOptions, Delivery, SupervisionOptions } from "./actors/supervision.ts";
export type { ActorView, ChildView, HistoryEntry, RetryView, TimerView } from "./actors/view.ts";
export * from "./runtime/core/errors.ts";
export { Histogram, Latencies, Sizes } from "./runtime/engine/histogram.ts";
export type {
  ChildToMigrate,
  MigratedState,
  Migration,
  StateToMigrate,
  TimerToMigrate,
} from "./runtime/engine/migration.ts";
export type { NodeStats } from "./runtime/engine/node.ts";
export type { PartitionStats } from "./runtime/engine/partition.ts";
export type { ActivityCounters, NodeCounters, NodeEvent } from "./runtime/engine/telemetry.ts";
export type { WorkerStats } from "./runtime/engine/worker.ts";
export { publish, reply, tell } from "./runtime/machine/actions.ts";
export {
  type EmbeddedServer,
  type EmbeddedServerOptions,
  startEmbeddedServer,
} from "./runtime/server/embedded-server.ts";
export type {
  FixedRetryPolicy,
  ImmediateRetryPolicy,
  RetryLimits,
  RetryPolicy,
  RetryPolicyInput,
  ScheduledRetryPolicy,
} from "./runtime/supervise/retry-policy.ts";
