import type { Catalog } from '../../engine/catalog.ts'
import type { Asked, Command } from '../command.ts'
import { mustBeNamed, reachForWriting } from '../data.ts'

export const pause: Command = (asked) => change('pause', asked)
export const resume: Command = (asked) => change('resume', asked)

async function change(verb: 'pause' | 'resume', asked: Asked): Promise<number> {
  const { terminal, args, flags } = asked
  const [service = ''] = args
  await using system = await reachForWriting(asked)
  const { services } = (await system.run('describe')) as Catalog
  const names = services.map(({ name }) => name)
  mustBeNamed('SERVICE_NOT_FOUND', service, names)
  const done = await system.run(verb, { service })
  if (flags.json) terminal.print(JSON.stringify(done))
  else if (verb === 'pause')
    terminal.print(`${service} is paused. Resume it with: throughline resume ${service}`)
  else terminal.print(`${service} is resumed.`)
  return 0
}
