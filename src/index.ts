export { days, hours, minutes, seconds } from './base/time/duration.ts'
export type { Cancel, Clock } from './base/time/clock.ts'
export type { Issue, FaultCode, FaultDetails } from './base/errors/fault.ts'
export { Fault, FAULTS } from './base/errors/fault.ts'
export { LIMITS } from './base/limits.ts'
export type { NumberOption } from './base/options.ts'
export type { Random } from './base/random.ts'
export type { AnyContract, Contract, TopicSettings, Retention } from './contract/contract.ts'
export { contract } from './contract/contract.ts'
export type { CloudEvent, Envelope, SenderInstance } from './contract/envelope.ts'
export { cloudEvent } from './contract/envelope.ts'
export type {
  MessageTypeInfo,
  AnswerOf,
  RefusalCodeOf,
  CommandMessage,
  CommandSpec,
  CommandType,
  DataOf,
  Upcaster,
  EventSpec,
  EventType,
  MessageKind,
  Message,
  MessageOf,
  MessageType,
  QueryMessage,
  QuerySpec,
  QueryType,
  RefusalData,
  RefusalType,
  Schema,
  WireName,
} from './contract/message.ts'
export { command, event, query } from './contract/message.ts'
export type { TraceContext } from './contract/trace-context.ts'
export type { EdgeStatus } from './edges/run-edges.ts'
export type { EdgeCounts } from './edges/receiver.ts'
export type {
  SlowRule,
  SlowRun,
  SlowUnit,
  SlowUnits,
  EngineOptions,
  RefoldReport,
  ExpiredRecords,
  StartHooks,
} from './engine/context/index.ts'
export type { ChangedSource } from './engine/plan/index.ts'
export type { RuleError } from './engine/failure/index.ts'
export type {
  GroupAssignment,
  HealthReport,
  RewindScope,
  RewindTarget,
  RewoundPartition,
  ConsumerStatus,
} from './engine/operations/index.ts'
export type {
  AdminReason,
  DeadLetterCause,
  DeadLetterEntry,
  DeadLetterFilter,
  DeadLetters,
  DeadLettersOptions,
  EditRequest,
  RedrivePreview,
  RedriveProgress,
  RedriveRequest,
} from './engine/dead-letters/index.ts'
export type {
  FailureOptions,
  OnFailed,
  RedriveOptions,
  RetryOptions,
} from './rules/failure-policy.ts'
export { ON_FAILED, REDRIVE_OPTIONS, RETRY_OPTIONS, final } from './rules/failure-policy.ts'
export type {
  Alarm,
  AlarmKind,
  ErrorView,
  EventLocation,
  HeldKey,
  HeldKeysOptions,
  ListPage,
  ListOptions,
  OpenSaga,
  OperationEntry,
  OperationKind,
  OperationStateView,
  OperationsOptions,
  SagasOptions,
  TimerEntry,
  TimersOptions,
  UnsettledWork,
  WaitsFor,
} from './engine/listing/index.ts'
export type {
  AcceptedResult,
  FailedResult,
  FoundOperation,
  Operation,
  OperationState,
  SettledResult,
  ProjectedOptions,
  AppendResult,
  AppendOptions,
  SendOptions,
} from './engine/producer/index.ts'
export { ENGINE_OPTIONS } from './engine/context/index.ts'
export type { RebuildOptions, RebuildProgress, RebuildResult } from './engine/rebuild/index.ts'
export type {
  After,
  Become,
  Compensate,
  Effect,
  Finish,
  MessageTypeName,
  Outcome,
  OutcomeName,
  Refusal,
  RetryAfter,
  Send,
} from './rules/effect.ts'
export { after, become, compensate, finish, refuse, retryAfter, send } from './rules/effect.ts'
export type {
  DecideOn,
  DecideRule,
  Entity,
  EntityOptions,
  EvolveOn,
  EvolveRule,
} from './rules/entity.ts'
export { entity } from './rules/entity.ts'
export type {
  ThreadOptions as ThreadHandlerOptions,
  HandleOn,
  Handler,
  HandlerContext,
  ConsumeMode,
  InProcessOptions as HandlerOptions,
  ToolHints,
} from './rules/handler.ts'
export { handler } from './rules/handler.ts'
export type {
  SubscribableType,
  ProjectOn,
  Projection,
  ProjectionConsumerOptions,
} from './rules/projection.ts'
export { projection } from './rules/projection.ts'
export type {
  AnswerOn,
  RowPage,
  QueryHandler,
  ReadRows,
  Readable,
  RowReader,
} from './rules/query-handler.ts'
export { queryHandler } from './rules/query-handler.ts'
export type {
  ConsumerOptions,
  IdsOf,
  MessageContext,
  Renamable,
  Rule,
  IdSelector,
  StartFrom,
  TypeHint,
} from './rules/rule.ts'
export { tool } from './rules/rule.ts'
export type { Saga, SagaOn } from './rules/saga.ts'
export { saga } from './rules/saga.ts'
export type { Runnable, Service, ServiceEdge } from './rules/service.ts'
export { service } from './rules/service.ts'
export type {
  ContractDescription,
  AppDescription,
  EdgeDescription,
  RuleDescription,
  ServiceDescription,
} from './runtime/describe.ts'
export type { OperatorCalls } from './runtime/audited-calls.ts'
export type { App, SentOperation, StartOptions } from './runtime/start.ts'
export { start } from './runtime/start.ts'
