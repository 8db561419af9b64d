import { systemClock } from '../../src/base/time/clock.ts'
import type { ClosedLoop, Flow } from '../../src/bench/closed-loop.ts'
import { closedLoop } from '../../src/bench/closed-loop.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import type { Reading } from '../../src/bench/system.ts'
import { readingOf } from '../../src/bench/system.ts'

/** The options of every peer: the same loop, batches and payloads as the engine. */
export interface PeerOptions extends ClosedLoop {
  /** The port of its server, if it has one. */
  readonly port: number
  /** A directory of its own, empty. */
  readonly directory: string
}

/** A running peer. */
export interface Peer {
  readonly publish: (readings: readonly Reading[]) => Promise<unknown>
  /** The number of handled and acknowledged readings. */
  readonly finished: () => number
}

/** The handler of each peer: sums the readings of each meter in memory. */
export function createSummingHandler(): (reading: Reading) => void {
  const units = new Map<string, number>()
  return ({ meterId, units: more }) => void units.set(meterId, (units.get(meterId) ?? 0) + more)
}

/** Measures a peer. The process is killed afterwards, so the peer is not stopped. */
export function measurePeer(peer: Peer, options: ClosedLoop): Promise<Metrics> {
  const flow: Flow = {
    finished: peer.finished,
    async publish(from, count) {
      await peer.publish(Array.from({ length: count }, (_, at) => readingOf(from + at)))
    },
  }
  return closedLoop(systemClock(), flow, options)
}
