import { withTimeout } from '../base/time/clock.ts'
import type { Service } from '../rules/service.ts'
import { createBackOff } from './back-off.ts'
import type { EdgeHost } from './edge-host.ts'
import type { Edge } from './edge.ts'
import type { EdgeCounts, ReceiverContext } from './receiver.ts'
import { receiveBatch } from './receiver.ts'
import type { Transport } from './transport.ts'

/** An edge of a running app. */
export interface EdgeStatus extends Readonly<EdgeCounts> {
  readonly edge: string
  /** The service that has the edge, by its name in this app. */
  readonly service: string
  readonly system: string
}

/** The edges of a running app. */
export interface RunningEdges {
  status(): readonly EdgeStatus[]
  /** Receives nothing more; resolves once the batches in progress are acknowledged or given back. */
  stopReceiving(): Promise<void>
  /** Closes the transports. Call it when no handler publishes any more. */
  close(): Promise<void>
}

/** How long a transport may take to finish before it is left behind. */
const STOP_MS = 5_000

/** The edges of services; `start` has checked that they are edges. */
export function edgesOf(services: readonly Service[]): readonly Edge[] {
  return services.flatMap(({ edges = [] }) => edges as readonly Edge[])
}

/**
 * Opens the transports and receives with every edge, until it is stopped. Nothing here fails: what does
 * not work is reported to the host and tried again.
 */
export function runEdges(
  services: readonly Service[],
  tools: Readonly<Record<string, unknown>>,
  host: EdgeHost,
): RunningEdges {
  const stopping = new AbortController()
  const { signal } = stopping
  const transports = new Set<Transport>()
  const counts: EdgeStatusCounts[] = []
  const loops = services.flatMap((service) =>
    edgesOf([service]).map((edge) => {
      const transport = tools[edge.transport] as Transport
      transports.add(transport)
      const ofEdge = { received: 0, accepted: 0, repeated: 0, rejected: 0 }
      counts.push({ edge: edge.name, service: service.name, system: edge.system, counts: ofEdge })
      const backOff = createBackOff(edge.name, host, signal)
      return runEdge({ edge, transport, host, counts: ofEdge, backOff, signal })
    }),
  )
  return {
    status: () => counts.map(({ counts: ofEdge, ...edge }) => ({ ...edge, ...ofEdge })),
    async stopReceiving() {
      stopping.abort()
      await withTimeout(host.clock, STOP_MS, Promise.all(loops))
    },
    async close() {
      const closed = [...transports].map((transport) => transport.close())
      await withTimeout(host.clock, STOP_MS, Promise.allSettled(closed))
    },
  }
}

interface EdgeStatusCounts extends Pick<EdgeStatus, 'edge' | 'service' | 'system'> {
  readonly counts: EdgeCounts
}

async function runEdge(context: ReceiverContext): Promise<void> {
  const { edge, transport, backOff, signal } = context
  let isOpen = false
  while (!signal.aborted)
    try {
      if (!isOpen) await transport.open()
      isOpen = true
      if (edge.receives.length === 0) return backOff.succeeded()
      await receiveBatch(context)
      backOff.succeeded()
    } catch (cause) {
      isOpen = false
      await backOff.failed(cause)
    }
}
