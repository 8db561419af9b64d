import type { ReactNode } from 'react'
import { createContext, use, useSyncExternalStore } from 'react'
import type { Connection, Live } from './connection.ts'

const ConnectionContext = createContext<Connection | undefined>(undefined)

export function LiveProvider(props: { connection: Connection; children: ReactNode }): ReactNode {
  return <ConnectionContext value={props.connection}>{props.children}</ConnectionContext>
}

/** The current data of the page; renders again with every update. */
export function useLive(): Live {
  const connection = use(ConnectionContext)
  if (!connection) throw new Error('useLive is for components inside LiveFrom')
  return useSyncExternalStore(connection.subscribe, connection.now)
}
