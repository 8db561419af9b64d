import { Fault } from '../../base/errors/fault.ts'
import type { EngineContext } from '../context/index.ts'
import type { ListPage } from '../listing/index.ts'
import type {
  DeadLetterCause,
  DeadLetterEntry,
  DeadLetterFilter,
  DeadLettersOptions,
} from './dead-letter-types.ts'
import type { EditRequest } from './edit-dead-letter.ts'
import { editDeadLetter, undoEdit } from './edit-dead-letter.ts'
import { deadLetterCauses, listDeadLetters } from './list-dead-letters.ts'
import type {
  AdminReason,
  RedrivePreview,
  RedriveProgress,
  RedriveRequest,
  RedriveSystem,
} from './redrive.ts'
import { discard, previewRedrive, redrive } from './redrive.ts'

/**
 * Messages that have failed: their attempts are used up, or no retry can help. Each stays where it is,
 * with everything behind it, until it is redriven or discarded. All methods may be called while
 * everything runs.
 */
export interface DeadLetters {
  /**
   * The dead letters, by consumer and place.
   *
   * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
   */
  list(options?: DeadLettersOptions): Promise<ListPage<DeadLetterEntry>>
  /**
   * How many there are of each cause, the most frequent first.
   *
   * @throws Fault `RULE_NOT_FOUND`
   */
  causes(filter?: DeadLetterFilter): Promise<readonly DeadLetterCause[]>
  /**
   * What a redrive of the selected ones would do. Changes nothing.
   *
   * @throws Fault `RULE_NOT_FOUND`
   */
  preview(filter?: DeadLetterFilter): Promise<RedrivePreview>
  /**
   * Puts the selected ones back to work in their places; each key continues where it stopped. A letter
   * is redriven once per call. After a crash, a second call redrives what is left.
   *
   * @throws Fault `RULE_NOT_FOUND`, `STORE_UNKNOWN`
   */
  redrive(
    request: RedriveRequest,
    onProgress?: (progress: RedriveProgress) => void,
  ): Promise<RedriveProgress>
  /**
   * Gives the selected ones up for good, so that what waits behind them goes on.
   *
   * @throws Fault `RULE_NOT_FOUND`, `STORE_UNKNOWN`
   */
  discard(
    request: RedriveRequest,
    onProgress?: (progress: RedriveProgress) => void,
  ): Promise<RedriveProgress>
  /**
   * Changes the data of one for its consumer, at every later read. The log keeps the original.
   *
   * @throws Fault `MESSAGE_INVALID` with all issues, `MESSAGE_NOT_FOUND`, `RULE_NOT_FOUND`,
   * `STORE_UNKNOWN`; `DATA_READ_ONLY` without a running app
   */
  edit(request: EditRequest): Promise<void>
  /**
   * Takes an edit back, until the message is redriven. `by` and `reason` are for the audit trail.
   *
   * @throws Fault as `edit`
   */
  undoEdit(request: Pick<EditRequest, 'consumer' | 'id'> & Partial<AdminReason>): Promise<void>
}

/** The dead letters of a system; `engine` only where its code runs. */
export function createDeadLetters(system: RedriveSystem, engine?: EngineContext): DeadLetters {
  const running = (): EngineContext => {
    if (engine) return engine
    throw new Fault('DATA_READ_ONLY', {
      detail: 'only a running app knows the schemas of messages',
    })
  }
  return {
    list: (options) => listDeadLetters(system, options),
    causes: (filter) => deadLetterCauses(system, filter),
    preview: (filter = {}) => previewRedrive(system, filter),
    redrive: (request, onProgress) => redrive(system, request, onProgress),
    discard: (request, onProgress) => discard(system, request, onProgress),
    edit: async (request) => editDeadLetter(running(), request),
    undoEdit: async (request) => undoEdit(running(), request),
  }
}
