import type { ReactNode } from 'react'
import { createContext, use, useSyncExternalStore } from 'react'
import type { Connection, Live } from './connection.ts'

const Connected = createContext<Connection | undefined>(undefined)

export function LiveFrom(props: { connection: Connection; children: ReactNode }): ReactNode {
  return <Connected value={props.connection}>{props.children}</Connected>
}

/** The current data of the page; renders again with every update. */
export function useLive(): Live {
  const connection = use(Connected)
  if (!connection) throw new Error('useLive is for components inside LiveFrom')
  return useSyncExternalStore(connection.subscribe, connection.now)
}
