import type { EventLog } from './log.ts'
import type { Backend, EventStore } from './store.ts'

const LOG_CALLS = [
  'declare',
  'append',
  'read',
  'ends',
  'offsetAt',
  'trim',
  'compact',
  'find',
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
  'tables',
  'inspect',
  'health',
] as const

/** A call of one of the ports, such as `log.append`. */
export type PortCall = `log.${(typeof LOG_CALLS)[number]}` | `store.${(typeof STORE_CALLS)[number]}`

/** Runs in place of a backend call: `run` makes the call, and may be called several times. */
export type Around = (
  call: PortCall,
  run: () => Promise<unknown>,
  args: readonly unknown[],
) => Promise<unknown>

/** Wraps a backend so that every call but `open` and `close` goes through the interceptor. */
export function through(backend: Backend, around: Around): Backend {
  const { log, store } = backend
  return {
    ...backend,
    log: portThrough<EventLog>('log', log, LOG_CALLS, around),
    store: portThrough<EventStore>('store', store, STORE_CALLS, around),
  }
}

/** Calls methods by name, because they may be on a prototype; optional ones stay absent. */
function portThrough<P extends EventLog | EventStore>(
  name: 'log' | 'store',
  port: P,
  calls: readonly string[],
  around: Around,
): P {
  const methods = port as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  const wrapped = calls
    .filter((call) => typeof methods[call] === 'function')
    .map((call) => [
      call,
      async (...args: unknown[]) =>
        around(`${name}.${call}` as PortCall, async () => methods[call]?.(...args), args),
    ])
  const whole = { can: port.can, open: () => port.open(), close: () => port.close() }
  return { ...whole, ...Object.fromEntries(wrapped) } as unknown as P
}
