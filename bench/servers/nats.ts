import { expectAnswer } from './probe.ts'
import type { ServerKind } from './server.ts'
import { freePort, launch, outputOf, programOf } from './server.ts'

/** JetStream on files. The version of the Debian package cannot sync before an ack. */
export const nats: ServerKind = {
  name: 'NATS',
  async prepare() {
    const said = await outputOf(await program(), ['--version'])
    return /v?([\d.]+)$/.exec(said)?.[1] ?? said
  },
  async start(directory) {
    const port = await freePort()
    return launch({
      command: await program(),
      args: ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', directory],
      port,
      probe: (at) => expectAnswer(at, '', /^INFO /),
      stopSignal: 'SIGINT',
    })
  },
}

const program = (): Promise<string> => programOf('nats-server', 'nats-server')
