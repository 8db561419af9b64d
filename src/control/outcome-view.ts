import type { OperationState } from '../engine/producer/index.ts'
import type { OutcomeView } from './views.ts'

/** Converts the state of an operation to what operators see. */
export function outcomeView(state: OperationState): OutcomeView {
  const { status } = state
  if ('issues' in state) {
    const { code, issues } = state
    return { status, kind: 'refused', reason: code, issues }
  }
  const reason = 'reason' in state ? state.reason : undefined
  const isOwn = status === 'pending' || status === 'completed' || status === 'failed'
  const kind = isOwn ? status : 'finished'
  const code = 'code' in state ? state.code : undefined
  return {
    status,
    kind,
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
  }
}
