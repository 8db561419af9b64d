import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ServerKind } from './server.ts'
import { findProgram, foldersIn, freePort, launch, outputOf, programOf } from './server.ts'

/** The user `nobody`: the server refuses to run as root. */
const UID = 65_534
const isRoot = process.getuid?.() === 0
const asNobody = isRoot ? { uid: UID, gid: UID } : {}

/** PostgreSQL with fsync before each commit. */
export const postgresql: ServerKind = {
  name: 'PostgreSQL',
  async prepare() {
    const said = await outputOf(await program('postgres'), ['--version'])
    return /([\d.]+)/.exec(said)?.[1] ?? said
  },
  async start(directory) {
    const port = await freePort()
    const data = join(directory, 'data')
    mkdirSync(data, { mode: 0o700 })
    if (isRoot) chownSync(data, UID, UID)
    const options = { cwd: data, ...asNobody }
    const initialize = ['-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync']
    await outputOf(await program('initdb'), initialize, options)
    const settings = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: data,
      shared_buffers: '512MB',
      max_wal_size: '4GB',
      fsync: 'on',
      synchronous_commit: 'on',
    }
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const isReady = await program('pg_isready')
    return launch({
      command: await program('postgres'),
      args: ['-D', data, ...args],
      options,
      port,
      probe: (at) => outputOf(isReady, ['-h', '127.0.0.1', '-p', String(at), '-q']),
      stopSignal: 'SIGINT',
    })
  },
}

const folders = (): readonly string[] => foldersIn('/usr/lib/postgresql', 'bin')

async function program(name: string): Promise<string> {
  await programOf('postgres', 'postgresql', folders)
  const found = findProgram(name, folders())
  if (found === undefined) throw new Error(`the PostgreSQL installation has no ${name}`)
  return found
}
