import { outputOf, freePort, launch, programOf } from './server.ts'
import type { ServerKind } from './server.ts'
import { expectAnswer } from './probe.ts'

/** Redis with fsync before the answer to each write. */
export const redis: ServerKind = {
  name: 'Redis',
  async prepare() {
    const said = await outputOf(await program(), ['--version'])
    return /v=([\d.]+)/.exec(said)?.[1] ?? said
  },
  async start(directory) {
    const port = await freePort()
    const settings = {
      bind: '127.0.0.1',
      port,
      dir: directory,
      save: '',
      appendonly: 'yes',
      appendfsync: 'always',
      'maxmemory-policy': 'noeviction',
    }
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
    return launch({
      command: await program(),
      args,
      port,
      probe: (at) => expectAnswer(at, 'PING\r\n', /^\+PONG/),
    })
  },
}

const program = (): Promise<string> => programOf('redis-server', 'redis-server')
