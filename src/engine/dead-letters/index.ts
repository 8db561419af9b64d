// Lists dead letters by cause, and lets operators redrive, edit and discard them.
export type {
  DeadLetterCause,
  DeadLetterEntry,
  DeadLetterFilter,
  DeadLettersOptions,
} from './dead-letter-types.ts'
export type { DeadLetters } from './dead-letters.ts'
export { createDeadLetters } from './dead-letters.ts'
export type { EditRequest } from './edit-dead-letter.ts'
export type { AdminReason, RedrivePreview, RedriveProgress, RedriveRequest } from './redrive.ts'
