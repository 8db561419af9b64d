import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expectListening } from '../probe.ts'
import type { ServerKind } from '../server.ts'
import { freePort, launch, outputOf, programOf } from '../server.ts'

const pom = fileURLToPath(new URL('pom.xml', import.meta.url))
/** Downloads for the bench, outside of the sources. */
const place = fileURLToPath(new URL('../../../dist/bench/kafka', import.meta.url))
const libraries = join(place, 'libs')
const FETCH_MS_MAX = 300_000

/** One broker that is its own controller, with the default settings: acks without fsync. */
export const kafka: ServerKind = {
  name: 'Kafka',
  async prepare() {
    await programOf('java', 'openjdk-17-jre-headless')
    const wanted = readFileSync(pom, 'utf8')
    const has = join(place, 'pom.xml')
    if (!existsSync(libraries) || readFileSync(has, 'utf8') !== wanted) await fetchLibraries()
    return /kafka_2\.13<\/artifactId>\s*<version>([\d.]+)/.exec(wanted)?.[1] ?? ''
  },
  async start(directory) {
    const port = await freePort()
    const controllerPort = await freePort()
    const file = join(directory, 'server.properties')
    writeFileSync(file, settings(directory, port, controllerPort))
    const java = await programOf('java', 'openjdk-17-jre-headless')
    const machine = ['-XX:+UseSerialGC', '-Xms256m', '-Xmx768m', '-cp', `${libraries}/*`]
    const id = randomBytes(16).toString('base64url')
    const format = ['kafka.tools.StorageTool', 'format', '--standalone', '-t', id, '-c', file]
    await outputOf(java, [...machine, ...format])
    return launch({
      command: java,
      args: [...machine, 'kafka.Kafka', file],
      // Its output only complains about a missing logging configuration.
      options: { stdio: 'ignore' },
      port,
      probe: expectListening,
    })
  },
}

async function fetchLibraries(): Promise<void> {
  const maven = await programOf('mvn', 'maven')
  mkdirSync(place, { recursive: true })
  process.stderr.write('Fetching Kafka.\n')
  const goal = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime']
  await outputOf(maven, [...goal, `-DoutputDirectory=${libraries}`], { timeout: FETCH_MS_MAX })
  cpSync(pom, join(place, 'pom.xml'))
}

function settings(directory: string, port: number, controllerPort: number): string {
  return `process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=${join(directory, 'data')}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
`
}
