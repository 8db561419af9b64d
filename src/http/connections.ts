import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** The requests that are being answered, by connection. */
export interface Connections {
  add(socket: Socket, outgoing: ServerResponse, answered: Promise<void>): void
  /** Resolves once all present requests are answered. */
  allAnswered(): Promise<unknown>
  /**
   * Ends the connection once its requests are answered, or at once if one of them is not whole; `false`
   * if there are none. A problem would
   * land in the middle of a response, or answer a request that a handler has already processed.
   */
  endAfterResponses(socket: Socket): boolean
}

export function createConnections(): Connections {
  const inFlight = new Map<Socket, Map<ServerResponse, Promise<void>>>()
  const ending = new WeakSet<Socket>()
  return {
    add(socket, outgoing, answered) {
      const own = inFlight.get(socket) ?? new Map<ServerResponse, Promise<void>>()
      inFlight.set(socket, own)
      const done = answered.finally(() => {
        own.delete(outgoing)
        if (own.size > 0) return
        inFlight.delete(socket)
        if (ending.has(socket)) socket.destroySoon()
      })
      own.set(outgoing, done)
    },
    allAnswered: () => Promise.all([...inFlight.values()].flatMap((own) => [...own.values()])),
    endAfterResponses(socket) {
      const own = inFlight.get(socket)
      if (!own) return false
      // The rest of a body will never come, and its handler must not wait for it.
      if ([...own.keys()].some(({ req }) => !req.complete)) {
        socket.destroy()
        return true
      }
      ending.add(socket)
      // Says so in the headers that are not sent yet.
      for (const outgoing of own.keys()) outgoing.shouldKeepAlive = false
      return true
    },
  }
}
