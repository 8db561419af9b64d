// Runs one rule on one message without side effects, and stages what it returns.
export type { SagaInstanceRow, StoredOutcome } from './advance-saga.ts'
export {
  OPEN_SINCE_UNKNOWN,
  advanceSaga,
  fireTimer,
  isForRollback,
  outcomeOf,
  rowsForSaga,
  rowsForTimer,
} from './advance-saga.ts'
export type { Batch, Delivery, DeliveryCounts, EditedRecord, ScheduledHold } from './batch.ts'
export { EMPTY_BATCH, createDeliveries } from './batch.ts'
export type { OperationRow } from './decide.ts'
export {
  decide,
  evolve,
  failCommand,
  isIssueList,
  operationIdIn,
  operationKey,
  rowsForDecision,
} from './decide.ts'
export type { Attempt, HandlerCall, HandlerThreads } from './handler-call.ts'
export { stageHandlerResult } from './handler-call.ts'
export { createInboundMessage } from './inbound-message.ts'
export { project, rowsForProjection } from './project.ts'
export { createServiceRefold, storeRefoldedStates } from './refold.ts'
export type { InboundMessage, RuleEnvironment, RuleRun, RuleRunEnvironment } from './rule-run.ts'
export { ruleFault } from './rule-run.ts'
export type { TimerRow } from './timer-row.ts'
export { timerIndex } from './timer-row.ts'
