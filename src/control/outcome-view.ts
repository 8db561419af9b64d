import type { OperationState } from '../engine/operations.ts'
import type { OutcomeView } from './views.ts'

/** Converts the state of an operation to what operators see. */
export function outcomeView(state: OperationState): OutcomeView {
  const { is } = state
  if ('code' in state) {
    const { code, complaints } = state
    return { is, kind: 'refused', reason: code, complaints }
  }
  const reason = 'reason' in state ? state.reason : undefined
  const kind = is === 'pending' || is === 'completed' ? is : 'finished'
  return { is, kind, ...(reason === undefined ? {} : { reason }) }
}
