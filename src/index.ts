export { days, hours, minutes, seconds } from './base/duration.ts'
export type { Clock } from './base/clock.ts'
export type { Complaint, FaultCode } from './base/fault.ts'
export { Fault, FAULTS } from './base/fault.ts'
export { LIMITS } from './base/limits.ts'
export type { Random } from './base/random.ts'
export type { AnyContract, Contract } from './contract/contract.ts'
export { contract } from './contract/contract.ts'
export type { CloudEvent, Envelope } from './contract/envelope.ts'
export { cloudEvent } from './contract/envelope.ts'
export type {
  AnswerOf,
  CodeOf,
  CommandType,
  DataOf,
  EventType,
  Message,
  MessageOf,
  QueryType,
  RefusalType,
  Schema,
} from './contract/message.ts'
export { command, event, query } from './contract/message.ts'
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
export type { RebuildOptions, RebuildProgress, Rebuilt } from './engine/rebuild.ts'
export type { RewindAt, RewindTo, Rewound } from './engine/rewind.ts'
export type { Appended, AppendOptions, SendOptions } from './engine/sender.ts'
export type { ConsumerStatus } from './engine/status.ts'
export type { Effect, Outcome, OutcomeName, Refusal, RetryAfter } from './rules/effect.ts'
export { after, become, compensate, finish, refuse, retryAfter, send } from './rules/effect.ts'
export type { Entity } from './rules/entity.ts'
export { entity } from './rules/entity.ts'
export type { Handler, Handling, HandlingOrder } from './rules/handler.ts'
export { handler } from './rules/handler.ts'
export type { Projection } from './rules/projection.ts'
export { projection } from './rules/projection.ts'
export type { Page, Query, Read, Reader } from './rules/query.ts'
export { queryHandler } from './rules/query.ts'
export type { Occasion, StartFrom } from './rules/rule.ts'
export { type } from './rules/rule.ts'
export type { Saga } from './rules/saga.ts'
export { saga } from './rules/saga.ts'
export type { Service } from './rules/service.ts'
export { service } from './rules/service.ts'
export type { Description } from './runtime/describe.ts'
export type { App, SentOperation, StartOptions } from './runtime/start.ts'
export { start } from './runtime/start.ts'
