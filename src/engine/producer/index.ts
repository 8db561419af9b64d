// Validates messages from outside, appends them in batches, and follows the operation of a command.
export type {
  AcceptedResult,
  FailedResult,
  FoundOperation,
  Operation,
  OperationState,
  SettledResult,
} from './command-operation.ts'
export { createOperation, findOperationById } from './command-operation.ts'
export type { AppendOptions, AppendResult, SendOptions, Sender } from './sender.ts'
export { createSender } from './sender.ts'
export type { ProjectedOptions } from './wait-for-projections.ts'
