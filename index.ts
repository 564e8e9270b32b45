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
  EndOptions,
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
export { type DeclaredActivity, declareActivity, implementActivity, withRetry } from "./actors/declare-activity.ts";
export {
  type ActivityDeclaration,
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
export type { ActorView, ChildView, HistoryEntry, RetryView, RunView, TimerView } from "./actors/view.ts";
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
export { type AskActorOptions, type AskInput, askActor, type ParentClosePolicy } from "./runtime/machine/ask-logic.ts";
export type { RunFacts } from "./runtime/machine/driver.ts";
export { continueAs, fail } from "./runtime/machine/endings.ts";
export { withIdempotencyKey } from "./runtime/machine/keyed-input.ts";
export { now } from "./runtime/machine/step-time.ts";
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
export { defineWorkflow, isWorkflowDefinition, type WorkflowOptions } from "./workflows/define-workflow.ts";
export { type ListWorkflows, listWorkflows, type WorkflowSummary } from "./workflows/list-workflows.ts";
export { type RunWorkflowInput, type RunWorkflowOptions, runWorkflow } from "./workflows/run-workflow.ts";
export { ask, call, startWorkflow, type TypedDoing } from "./workflows/saga/calls.ts";
export type { SagaCheck } from "./workflows/saga/check.ts";
export type { OperatorOptions, SagaDefinition } from "./workflows/saga/define-saga.ts";
export type { SagaModel, SagaNode, StepNode, StepOutcome, UndoOn } from "./workflows/saga/model.ts";
export type { DecisionResult } from "./workflows/saga/operator.ts";
export type { PlannedUndo, PlanRow, SagaPlan } from "./workflows/saga/plan.ts";
export type { SagaCause, SagaContext, SagaDecision, StepProgress } from "./workflows/saga/progress.ts";
export {
  type Chain,
  type ForwardChain,
  type ForwardOptions,
  type PastPivot,
  type PivotOptions,
  type SagaChain,
  type SagaOptions,
  type SagaScope,
  type StepOptions,
  type StepRun,
  saga,
  type UndoRun,
  type UndoScope,
  type WaitForOptions,
} from "./workflows/saga/saga.ts";
export {
  type BackfillSchedule,
  defineSchedule,
  type PauseSchedule,
  type ScheduleCall,
  type ScheduleDefinition,
  type Triggered,
  type TriggerSchedule,
} from "./workflows/schedules/define-schedule.ts";
export type { ScheduleEvent } from "./workflows/schedules/schedule-machine.ts";
export type { OverlapPolicy, ScheduleOptions, ScheduleTimes, Tick } from "./workflows/schedules/schedule-options.ts";
export type { TickStatus } from "./workflows/schedules/schedule-turns.ts";
export type { ScheduleInfo, ScheduleSummary } from "./workflows/schedules/schedule-views.ts";
export type { AnyWorkflowDefinition, WorkflowDefinition, WorkflowQueries } from "./workflows/workflow-definition.ts";
export type { CancelResult, StartOptions, WorkflowRun } from "./workflows/workflow-run.ts";
export type { WorkflowStatus } from "./workflows/workflow-status.ts";
