export { days, hours, minutes, seconds } from './base/duration.ts'
export type { Cancel, Clock } from './base/clock.ts'
export type { Complaint, FaultCode, FaultDetails } from './base/fault.ts'
export { Fault, FAULTS } from './base/fault.ts'
export { LIMITS } from './base/limits.ts'
export type { NumberOption } from './base/options.ts'
export type { Random } from './base/random.ts'
export type { AnyContract, Contract, Keeping, Retention } from './contract/contract.ts'
export { contract } from './contract/contract.ts'
export type { CloudEvent, Envelope, Sender } from './contract/envelope.ts'
export { cloudEvent } from './contract/envelope.ts'
export type {
  About,
  AnswerOf,
  CodeOf,
  CommandMessage,
  CommandSpec,
  CommandType,
  DataOf,
  Earlier,
  EventSpec,
  EventType,
  Kind,
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
export type { SlowRule, SlowRun, SlowUnit, SlowUnits } from './engine/budget.ts'
export type { ChangedSource } from './engine/changed-source.ts'
export type { Faulted } from './engine/faulted.ts'
export type { GroupShare, HealthReport } from './engine/health.ts'
export type {
  Alarm,
  AlarmKind,
  ErrorView,
  EventPlace,
  HeldKey,
  HeldOptions,
  Listing,
  ListingOptions,
  OpenSaga,
  OperationEntry,
  OperationKind,
  OperationStatus,
  OperationsOptions,
  SagasOptions,
  TimerEntry,
  TimersOptions,
  Unsettled,
  WaitsFor,
} from './engine/listings.ts'
export type {
  Accepted,
  FoundOperation,
  Operation,
  OperationState,
  Settled,
} from './engine/operations.ts'
export type { EngineOptions } from './engine/options.ts'
export { ENGINE_OPTIONS } from './engine/options.ts'
export type { ProjectedOptions } from './engine/projected.ts'
export type { RebuildOptions, RebuildProgress, Rebuilt } from './engine/rebuild.ts'
export type { Refolds } from './engine/refolds.ts'
export type { RewindAt, RewindTo, Rewound } from './engine/rewind.ts'
export type { Appended, AppendOptions, SendOptions } from './engine/sender.ts'
export type { ConsumerStatus } from './engine/status.ts'
export type { Expired, Reports } from './engine/watch.ts'
export type {
  After,
  Become,
  Compensate,
  Effect,
  Finish,
  NameOfType,
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
  Apart as ThreadHandlerOptions,
  HandleOn,
  Handler,
  Handling,
  HandlingOrder,
  Outside as HandlerOptions,
  ToolHints,
} from './rules/handler.ts'
export { handler } from './rules/handler.ts'
export type { Heard, ProjectOn, Projection, ProjectionStart } from './rules/projection.ts'
export { projection } from './rules/projection.ts'
export type { AnswerOn, Page, Query, Read, Readable, Reader } from './rules/query.ts'
export { queryHandler } from './rules/query.ts'
export type {
  ConsumerOptions,
  IdsOf,
  Occasion,
  Renamed,
  Rule,
  Several,
  StartFrom,
  TypeHint,
} from './rules/rule.ts'
export { type } from './rules/rule.ts'
export type { Saga, SagaOn } from './rules/saga.ts'
export { saga } from './rules/saga.ts'
export type { Runnable, Service } from './rules/service.ts'
export { service } from './rules/service.ts'
export type {
  ContractDescription,
  Description,
  RuleDescription,
  ServiceDescription,
} from './runtime/describe.ts'
export type { App, SentOperation, StartOptions } from './runtime/start.ts'
export { start } from './runtime/start.ts'
