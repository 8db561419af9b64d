import type { Ack } from '../ports/log.ts'
import type { EngineTools } from './tools.ts'

/** How a running system is. */
export interface HealthReport {
  /** `failing`: the log, the store or a processor does not work at the moment. */
  readonly is: 'well' | 'paused' | 'failing'
  /** What an ack means: the weaker of what log and store promise. */
  readonly ack: Ack
  readonly detail: string
  /** Names of the services that an operator has paused. */
  readonly paused: readonly string[]
}

const ACKS: readonly Ack[] = ['memory', 'disk', 'replicated']

export async function healthOf({
  backend: { log, store },
  pauses,
  plan,
  watch,
}: EngineTools): Promise<HealthReport> {
  const ports = await Promise.all([log.health(), store.health()])
  await pauses.look()
  const paused = plan.services.map(({ name }) => name).filter(pauses.isPaused)
  const ack = ACKS.find((each) => ports.some((port) => port.ack === each)) ?? 'memory'
  const failing = ports.filter(({ is }) => is === 'failing').map(({ detail }) => detail)
  for (const [group, cause] of watch.broken())
    failing.push(`${group}: ${cause instanceof Error ? cause.message : 'broke'}`)
  if (failing.length > 0) return { is: 'failing', ack, paused, detail: failing.join('; ') }
  if (paused.length > 0)
    return { is: 'paused', ack, paused, detail: `paused: ${paused.join(', ')}` }
  return { is: 'well', ack, paused, detail: ports[0].detail }
}
