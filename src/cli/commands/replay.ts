import type { ReplayPage } from '../../control/replay.ts'
import type { Catalog } from '../../engine/catalog.ts'
import type { Command } from '../command.ts'
import { mustBeNamed, reach } from '../data.ts'

export const replay: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const [topic = ''] = args
  const { partition, from, to } = flags
  await using system = await reach(asked)
  const { topics } = (await system.run('describe')) as Catalog
  const names = topics.map(({ name }) => name)
  mustBeNamed('TOPIC_NOT_FOUND', topic, names)
  const wish = {
    topic,
    ...(partition === undefined ? {} : { partition }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  }
  let page = (await system.run('replay', wish)) as ReplayPage
  for (;;) {
    for (const event of page.events) terminal.print(JSON.stringify(event))
    await terminal.drained()
    if (page.cursor === undefined || terminal.unread.aborted) return 0
    page = (await system.run('replay', { topic, cursor: page.cursor })) as ReplayPage
  }
}
