import type { Catalog } from '../../../engine/plan/index.ts'
import type { Invocation, Command } from '../../shared/command.ts'
import { assertKnownName, openForWriting, writeArguments } from '../../shared/open-system.ts'

export const pause: Command = (asked) => setPaused('pause', asked)
export const resume: Command = (asked) => setPaused('resume', asked)

async function setPaused(verb: 'pause' | 'resume', asked: Invocation): Promise<number> {
  const { terminal, args, flags } = asked
  const [service = ''] = args
  await using system = await openForWriting(asked)
  const { services } = (await system.run('describe')) as Catalog
  const names = services.map(({ name }) => name)
  assertKnownName('SERVICE_NOT_FOUND', service, names)
  const done = await system.run(verb, { service, ...writeArguments(flags) })
  if (flags.json) terminal.print(JSON.stringify(done))
  else if (verb === 'pause')
    terminal.print(`${service} is paused. Resume it with: throughline resume ${service}`)
  else terminal.print(`${service} is resumed.`)
  return 0
}
