// The control socket, by which other processes of this machine call the owner of a data directory. It is
// a Unix socket or named pipe with lines of JSON. A call is one line, `{ token, verb, given }`; replies
// are lines with `progress` and a last one with `result` or `problem`.
import { createHash } from 'node:crypto'
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Server, Socket } from 'node:net'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { FaultCode } from '../base/errors/fault.ts'
import { FAULTS, Fault } from '../base/errors/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { asFault, thrownMessage } from '../base/errors/thrown-error.ts'
import type { System } from './system.ts'
import { isSameToken, readToken, ensureToken } from './token.ts'
import type { VerbArguments, VerbName } from './verbs.ts'
import { isVerb, runVerb } from './verbs.ts'
import type { ReportProgress } from '../ports/backup-and-archive.ts'

const PROTOCOL = 2
/** Operating systems limit the path of a socket to about 100 bytes. */
const PATH_BYTES_MAX = 100
/** The data of an edit at twice its length, since a call contains it as escaped text. */
const CALL_LENGTH_MAX = 2 * LIMITS.dataBytesMax + 65_536
const IDLE_MS = 10_000

interface SocketAddress {
  readonly protocol: number
  readonly path: string
}

interface SocketProblem {
  readonly code: string
  readonly message: string
  readonly issues?: Fault['issues']
  readonly ids?: Fault['ids']
}

const addressFile = (directory: string): string => join(directory, 'admin.json')

function socketPath(directory: string): string {
  const path = join(directory, 'admin.sock')
  const isShort = Buffer.byteLength(path) <= PATH_BYTES_MAX
  if (isShort && process.platform !== 'win32') return path
  const name = `throughline-${createHash('sha256').update(directory).digest('hex').slice(0, 24)}`
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`)
}

/** The control socket of an owner. */
export interface ControlSocket {
  close(): Promise<void>
}

/** Opens the control socket of a data directory. Call it only as its owner: a stale socket is removed. */
export async function openSocket(directory: string, system: System): Promise<ControlSocket> {
  const token = ensureToken(directory)
  const path = socketPath(directory)
  if (process.platform !== 'win32') rmSync(path, { force: true })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    serveConnection(socket, system, token)
  })
  await listen(server, path)
  // The socket must not keep the process running.
  server.unref()
  const address: SocketAddress = { protocol: PROTOCOL, path }
  writeFileSync(addressFile(directory), `${JSON.stringify(address)}\n`, { mode: 0o600 })
  return {
    async close() {
      rmSync(addressFile(directory), { force: true })
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => void server.close(() => resolve()))
    },
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      if (process.platform !== 'win32') chmodSync(path, 0o600)
      resolve()
    })
  })
}

function serveConnection(socket: Socket, system: System, token: string): void {
  let call = ''
  socket.unref()
  socket.setEncoding('utf8')
  socket.setTimeout(IDLE_MS, () => socket.destroy())
  // The client has disconnected.
  socket.on('error', () => socket.destroy())
  const onData = (text: string): void => {
    call += text
    if (call.length > CALL_LENGTH_MAX) return void socket.destroy()
    const end = call.indexOf('\n')
    if (end < 0) return
    socket.off('data', onData)
    socket.setTimeout(0)
    void answer(call.slice(0, end), system, token, (line) => {
      if (!socket.destroyed) socket.write(`${JSON.stringify(line)}\n`)
    }).then(() => socket.end())
  }
  socket.on('data', onData)
}

async function answer(
  line: string,
  system: System,
  token: string,
  reply: (line: object) => void,
): Promise<void> {
  try {
    const call = JSON.parse(line) as { token?: unknown; verb?: unknown; given?: unknown }
    if (!isSameToken(call.token, token))
      throw new Fault('TOKEN_REFUSED', { detail: 'admin socket' })
    if (!isVerb(call.verb))
      throw new Fault('OPTION_INVALID', { detail: `unknown verb ${String(call.verb)}` })
    const given = (call.given ?? {}) as VerbArguments
    const result = await runVerb(system, call.verb, given, (progress) => reply({ progress }))
    reply({ result })
  } catch (cause) {
    reply({ problem: problemFromError(cause) })
  }
}

function problemFromError(cause: unknown): SocketProblem {
  const fault = asFault(cause)
  if (!fault) return { code: 'INTERNAL', message: thrownMessage(cause), issues: [], ids: {} }
  const { code, message, issues, ids } = fault
  return { code, message, issues, ids }
}

/** A client of the owner of a data directory, in another process. */
export interface OwnerClient {
  /** @throws Fault as `runVerb` does, and `TOKEN_REFUSED` */
  run(verb: VerbName, given: VerbArguments, onProgress?: ReportProgress): Promise<unknown>
}

/** The running owner of a data directory; `undefined` if none answers. */
export async function findOwner(directory: string): Promise<OwnerClient | undefined> {
  const path = readAddress(directory)
  const token = readToken(directory)
  if (path === undefined) return undefined
  const probe = await connect(path).catch(() => undefined)
  if (!probe) return undefined
  probe.destroy()
  return {
    async run(verb, given, onProgress = () => undefined) {
      const socket = await connect(path)
      socket.write(`${JSON.stringify({ token, verb, given })}\n`)
      for await (const line of createInterface({ input: socket })) {
        const reply = JSON.parse(line) as Reply
        if (reply.progress) onProgress(reply.progress)
        else if (reply.problem) throw faultFromProblem(reply.problem)
        else return reply.result
      }
      throw new Fault('OWNER_GONE', { detail: directory })
    },
  }
}

interface Reply {
  readonly progress?: Parameters<ReportProgress>[0]
  readonly problem?: SocketProblem
  readonly result?: unknown
}

function faultFromProblem({ code, message, issues = [], ids = {} }: SocketProblem): Error {
  if (!Object.hasOwn(FAULTS, code)) return new Error(message)
  const fault = new Fault(code as FaultCode, { detail: '', issues, ids })
  // The message as the owner has formatted it.
  fault.message = message
  return fault
}

function readAddress(directory: string): string | undefined {
  try {
    const address = JSON.parse(readFileSync(addressFile(directory), 'utf8')) as SocketAddress
    return address.protocol === PROTOCOL && typeof address.path === 'string'
      ? address.path
      : undefined
  } catch {
    return undefined
  }
}

function connect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      socket.on('error', () => socket.destroy())
      resolve(socket)
    })
  })
}
