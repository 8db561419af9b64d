import { systemClock } from '../../src/base/clock.ts'
import type { ClosedLoop, Flow } from '../../src/bench/closed-loop.ts'
import { closedLoop } from '../../src/bench/closed-loop.ts'
import type { Figures } from '../../src/bench/figures.ts'
import type { Reading } from '../../src/bench/system.ts'
import { readingOf } from '../../src/bench/system.ts'

/** What every peer is measured with: the same loop, batches and payloads as the engine. */
export interface PeerOptions extends ClosedLoop {
  /** Of its server, where it has one. */
  readonly port: number
  /** A directory of its own, empty. */
  readonly directory: string
}

/** A peer at work. */
export interface Peer {
  readonly publish: (readings: readonly Reading[]) => Promise<unknown>
  /** Readings that were handled and acknowledged. */
  readonly finished: () => number
}

/** What the handler of each peer does: the sums of each meter, in memory alone. */
export function summing(): (reading: Reading) => void {
  const units = new Map<string, number>()
  return ({ meterId, units: more }) => void units.set(meterId, (units.get(meterId) ?? 0) + more)
}

/** Measures a peer. The process is ended afterwards, and with it whatever the peer still does. */
export function measured(peer: Peer, options: ClosedLoop): Promise<Figures> {
  const flow: Flow = {
    finished: peer.finished,
    async publish(from, count) {
      await peer.publish(Array.from({ length: count }, (_, at) => readingOf(from + at)))
    },
  }
  return closedLoop(systemClock(), flow, options)
}
