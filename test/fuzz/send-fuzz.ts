// Sends random requests to a server, and reports what no input may cause: a server error, a dropped
// connection, a slow answer, an error that is not a problem.
import { Agent, request as ask } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Random } from '../../src/base/random.ts'

export interface FuzzRequest {
  readonly method: string
  /** With the query string. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | undefined
  /** The caller asks for a wait or a stream. */
  readonly mayTakeLong: boolean
  /** Sends half of the body, and disconnects. */
  readonly isHalf?: boolean
  /** Bytes to send in place of all this, which need not be HTTP. */
  readonly raw?: string
}

export interface FuzzAnswer {
  /** 0 if the client has disconnected, or the server did, where that is an answer. */
  readonly status: number
  readonly type: string
  readonly text: string
}

/** What is sent, and what is wrong with an answer. */
export interface FuzzTarget<R extends FuzzRequest = FuzzRequest> {
  createRequest(random: Random): R
  /** `undefined` if the answer is as it should be. */
  flawOf(request: R, answer: FuzzAnswer): string | undefined
}

export interface FuzzOptions {
  readonly random: Random
  readonly requests: number
  /** Concurrent requests. Default: 16. */
  readonly width?: number
  /** Longest time for an answer, not counting `?wait` and streams. Default: 1,000. */
  readonly slowMs?: number
}

export interface FuzzReport {
  readonly requests: number
  /** The number of answers by status. */
  readonly statuses: Readonly<Record<string, number>>
  /** What must not happen, each with its request; the first 100. */
  readonly findings: readonly string[]
  /** The slowest answer that the caller did not ask to be slow. */
  readonly slowest: { readonly ms: number; readonly request: string }
}

const FINDINGS_MAX = 100
const RAW_TIMEOUT_MS = 5_000

/** The same random numbers send the same requests. */
export async function fuzz<R extends FuzzRequest>(
  origin: string,
  { createRequest, flawOf }: FuzzTarget<R>,
  { random, requests, width = 16, slowMs = 1_000 }: FuzzOptions,
): Promise<FuzzReport> {
  const agent = new Agent({ keepAlive: true, maxSockets: width })
  const statuses: Record<string, number> = {}
  const findings: string[] = []
  let slowest = { ms: 0, request: '' }
  let left = requests
  const find = (request: R, what: string): void => {
    if (findings.length < FINDINGS_MAX) findings.push(`${what}: ${shown(request)}`)
  }
  const sendNext = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const request = createRequest(random)
      const begunAt = performance.now()
      try {
        const answer = await send(origin, agent, request)
        statuses[answer.status] = (statuses[answer.status] ?? 0) + 1
        const flaw = flawOf(request, answer)
        if (flaw !== undefined) find(request, flaw)
      } catch (cause) {
        find(request, `no answer: ${(cause as Error).message}`)
      }
      const ms = Math.round(performance.now() - begunAt)
      if (request.mayTakeLong) continue
      if (ms > slowMs) find(request, `took ${ms} ms`)
      if (ms > slowest.ms) slowest = { ms, request: shown(request) }
    }
  }
  try {
    await Promise.all(Array.from({ length: width }, sendNext))
  } finally {
    agent.destroy()
  }
  return { requests, statuses, findings, slowest }
}

function shown({ method, path, body = '', raw }: FuzzRequest): string {
  if (raw !== undefined) return JSON.stringify(raw.slice(0, 400))
  const text = typeof body === 'string' ? body : Buffer.from(body).toString('latin1')
  return `${method} ${path.slice(0, 200)} ${text.slice(0, 200)}`
}

function send(origin: string, agent: Agent, request: FuzzRequest): Promise<FuzzAnswer> {
  return request.raw === undefined ? sendHttp(origin, agent, request) : sendRaw(origin, request.raw)
}

function sendHttp(
  origin: string,
  agent: Agent,
  { method, path, headers, body, isHalf = false }: FuzzRequest,
): Promise<FuzzAnswer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin)
    const bytes = Buffer.from(body ?? '')
    const length = isHalf ? { 'content-length': String(bytes.length) } : {}
    const given = { agent, hostname, port, method, path, headers: { ...headers, ...length } }
    const sent = ask(given, (answer: IncomingMessage) => {
      let text = ''
      const type = answer.headers['content-type'] ?? ''
      const done = (): void => resolve({ status: answer.statusCode ?? 0, type, text })
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => (text += chunk))
      answer.on('end', done)
      answer.on('error', reject)
      // A stream has no end of its own.
      if (type === 'text/event-stream')
        answer.once('data', () => {
          done()
          answer.destroy()
        })
    })
    sent.on('error', (cause) => (isHalf ? resolve(DISCONNECTED) : reject(cause)))
    if (isHalf) sent.write(bytes.subarray(0, bytes.length / 2), () => sent.destroy())
    else sent.end(body === undefined ? undefined : bytes)
  })
}

const DISCONNECTED: FuzzAnswer = { status: 0, type: '', text: '' }

/** Sends bytes over a connection of their own, and reads its first answer. */
function sendRaw(origin: string, raw: string): Promise<FuzzAnswer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin)
    let received = ''
    const socket = connect(Number(port), hostname, () => socket.end(raw, 'latin1'))
    socket.setEncoding('utf8').setTimeout(RAW_TIMEOUT_MS)
    socket.on('timeout', () => socket.destroy(new Error(`nothing for ${RAW_TIMEOUT_MS} ms`)))
    socket.on('data', (chunk: string) => (received += chunk))
    socket.on('error', (cause: NodeJS.ErrnoException) =>
      // What follows an answer is of no interest.
      cause.code === 'ECONNRESET' || cause.code === 'EPIPE' ? undefined : reject(cause),
    )
    socket.on('close', () => resolve(parseAnswer(received)))
  })
}

const CONTINUE = /^HTTP\/1\.1 100 [^\r]*\r\n\r\n/

function parseAnswer(received: string): FuzzAnswer {
  const [head = '', ...rest] = received.replace(CONTINUE, '').split('\r\n\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0)
  const type = /^content-type: *(.*)$/im.exec(head)?.[1] ?? ''
  const length = Number(/^content-length: *(\d+)$/im.exec(head)?.[1] ?? 0)
  const text = Buffer.from(rest.join('\r\n\r\n')).subarray(0, length).toString()
  return { status, type, text }
}
