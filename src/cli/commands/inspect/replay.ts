import type { ReplayPage } from '../../../control/replay.ts'
import type { Catalog } from '../../../engine/plan/index.ts'
import type { Command } from '../../shared/command.ts'
import { assertKnownName, openSystem } from '../../shared/open-system.ts'

export const replay: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const [topic = ''] = args
  const { partition, from, to } = flags
  await using system = await openSystem(asked)
  const { topics } = (await system.run('describe')) as Catalog
  const names = topics.map(({ name }) => name)
  assertKnownName('TOPIC_NOT_FOUND', topic, names)
  const options = {
    topic,
    ...(partition === undefined ? {} : { partition }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  }
  let page = (await system.run('replay', options)) as ReplayPage
  for (;;) {
    for (const event of page.events) terminal.print(JSON.stringify(event))
    await terminal.drained()
    if (page.cursor === undefined || terminal.outputClosed.aborted) return 0
    page = (await system.run('replay', { topic, cursor: page.cursor })) as ReplayPage
  }
}
