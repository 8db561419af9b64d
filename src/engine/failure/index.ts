// Handles rules that throw: holds and retries of their keys, and messages that crash the process.
export { normalizedMessage } from './cause.ts'
export type { CrashGuard } from './crash-guard.ts'
export { createCrashGuard } from './crash-guard.ts'
export type { ExclusivePermit } from './exclusive-permit.ts'
export { createExclusivePermit } from './exclusive-permit.ts'
export type { EditRow, Edits } from './edits.ts'
export { createEdits, editKey } from './edits.ts'
export type { FailurePolicy } from './failure-policy.ts'
export { createPolicies, nextStep, retryDelayMs, timerRetry } from './failure-policy.ts'
export type { DeadLetter, HeldMessage, HoldRow } from './hold-row.ts'
export { holdError, holdKeyOf, holdStatus, isQueueConsumer, placeHoldKey } from './hold-row.ts'
export type { Holds } from './holds.ts'
export { createHolds } from './holds.ts'
export type { CanWorkOn, HoldSummary } from './known-holds.ts'
export type { RedriveRate } from './redrive-rate.ts'
export { createRedriveRate } from './redrive-rate.ts'
export { messagesIn } from './held-page.ts'
export type { HoldReason, PagedDraft } from './stage-holds.ts'
export {
  closePages,
  failFront,
  holdMessage,
  readHeld,
  readHold,
  redriveFront,
  releaseFront,
  replaceFront,
  setAside,
  unpackPage,
  updateHold,
} from './stage-holds.ts'
export type { StatusStep } from './status-change.ts'
export { createStatusChange } from './status-change.ts'
export type { RuleError } from './rule-error.ts'
export { createRuleError, ruleErrorText, thrownFields } from './rule-error.ts'
