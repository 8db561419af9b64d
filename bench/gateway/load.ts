// A closed loop of clients: each sends its next command after the last answer. Uses plain sockets, to
// take little CPU time from the measured server.
import type { Socket } from 'node:net'
import { connect } from 'node:net'

export interface LoadOptions {
  readonly path: string
  readonly body: (at: number) => string
  readonly connections: number
  readonly seconds: number
  /** The number of the first command. */
  readonly from?: number
}

/** The result of a load. */
export interface Load {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly statuses: Readonly<Record<string, number>>
  /** The idempotency keys of the commands that were answered 202. */
  readonly accepted: readonly string[]
}

/** Longer latencies count as this. */
const LATENCY_MS_MAX = 10_000

export async function load(url: string, options: LoadOptions): Promise<Load> {
  const { connections, seconds, path, body, from = 0 } = options
  const statuses: Record<string, number> = {}
  const accepted: string[] = []
  const latencies = new Uint32Array(LATENCY_MS_MAX)
  let next = from
  const began = performance.now()
  const endsAt = began + seconds * 1_000
  const client = async (): Promise<void> => {
    const ask = await openConnection(url)
    while (performance.now() < endsAt) {
      const at = next++
      const sentAt = performance.now()
      const status = await ask('POST', path, body(at), `idempotency-key: k${at}\r\n`)
      const ms = Math.min(LATENCY_MS_MAX - 1, Math.round(performance.now() - sentAt))
      latencies[ms] = (latencies[ms] ?? 0) + 1
      statuses[status] = (statuses[status] ?? 0) + 1
      if (status === 202) accepted.push(`k${at}`)
    }
    ask.end()
  }
  await Promise.all(Array.from({ length: connections }, client))
  const count = Object.values(statuses).reduce((sum, each) => sum + each, 0)
  const quantile = (part: number): number => {
    let seen = 0
    return latencies.findIndex((each) => (seen += each) >= count * part)
  }
  const perSecond = count / ((performance.now() - began) / 1_000)
  return { perSecond, p50Ms: quantile(0.5), p99Ms: quantile(0.99), statuses, accepted }
}

/** The number of these commands whose operation is not settled. */
export async function countUnsettled(
  url: string,
  type: string,
  keys: readonly string[],
  connections: number,
): Promise<number> {
  let lost = 0
  let at = 0
  const client = async (): Promise<void> => {
    const ask = await openConnection(url)
    for (let key = keys[at++]; key !== undefined; key = keys[at++]) {
      const path = `/operations/${type}:${key}?wait=60`
      const status = await ask('GET', path, '', '', (text) => {
        if (!/"status":"(?:completed|rolled-back|refused)"/.test(text)) lost += 1
      })
      if (status !== 200) lost += 1
    }
    ask.end()
  }
  await Promise.all(Array.from({ length: connections }, client))
  return lost
}

interface Connection {
  (
    method: string,
    path: string,
    body: string,
    headers: string,
    heard?: (text: string) => void,
  ): Promise<number>
  end(): void
}

/** Opens a persistent connection. Each call resolves with the status of its answer. */
async function openConnection(url: string): Promise<Connection> {
  const { hostname, port, host } = new URL(url)
  const socket: Socket = connect(Number(port), hostname)
  socket.setNoDelay(true)
  socket.setEncoding('latin1')
  let text = ''
  let answered: ((text: string) => void) | undefined
  socket.on('data', (part: string) => {
    text += part
    const head = text.indexOf('\r\n\r\n')
    if (head < 0) return
    const [, length = '0'] = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, head)) ?? []
    if (text.length < head + 4 + Number(length)) return
    const whole = text
    text = ''
    answered?.(whole)
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  const ask = (
    method: string,
    path: string,
    body: string,
    headers: string,
    heard?: (text: string) => void,
  ): Promise<number> =>
    new Promise((resolve) => {
      answered = (whole) => {
        heard?.(whole)
        resolve(Number(whole.slice(9, 12)))
      }
      const type = 'content-type: application/json\r\n'
      socket.write(
        `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${type}${headers}content-length: ${body.length}\r\n\r\n${body}`,
      )
    })
  return Object.assign(ask, { end: () => void socket.end() })
}
