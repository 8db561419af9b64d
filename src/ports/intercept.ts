import type { EventLog } from './event-log.ts'
import type { Backend, EventStore } from './event-store.ts'

const LOG_CALLS = [
  'declare',
  'append',
  'read',
  'ends',
  'offsetAt',
  'trim',
  'compact',
  'find',
  'conversation',
  'inspect',
  'health',
] as const
const STORE_CALLS = [
  'declare',
  'beat',
  'commit',
  'get',
  'scan',
  'stream',
  'streamEnds',
  'streams',
  'progress',
  'statuses',
  'ranges',
  'declareLedger',
  'ledger',
  'payloads',
  'pruneLedger',
  'tables',
  'inspect',
  'health',
] as const

/** A call of one of the ports, such as `log.append`. */
export type PortCall = `log.${(typeof LOG_CALLS)[number]}` | `store.${(typeof STORE_CALLS)[number]}`

/** Runs in place of a backend call: `run` makes the call, and may be called several times. */
export type Interceptor = (
  call: PortCall,
  run: () => Promise<unknown>,
  args: readonly unknown[],
) => Promise<unknown>

/** Wraps a backend so that every call but `open` and `close` goes through the interceptor. */
export function intercept(backend: Backend, interceptor: Interceptor): Backend {
  const { log, store } = backend
  return {
    ...backend,
    log: interceptPort<EventLog>('log', log, LOG_CALLS, interceptor),
    store: interceptPort<EventStore>('store', store, STORE_CALLS, interceptor),
  }
}

/** Calls methods by name, because they may be on a prototype; optional ones stay absent. */
function interceptPort<P extends EventLog | EventStore>(
  name: 'log' | 'store',
  port: P,
  calls: readonly string[],
  interceptor: Interceptor,
): P {
  const methods = port as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  const wrapped = calls
    .filter((call) => typeof methods[call] === 'function')
    .map((call) => [
      call,
      async (...args: unknown[]) =>
        interceptor(`${name}.${call}` as PortCall, async () => methods[call]?.(...args), args),
    ])
  const whole = { can: port.can, open: () => port.open(), close: () => port.close() }
  return { ...whole, ...Object.fromEntries(wrapped) } as unknown as P
}
