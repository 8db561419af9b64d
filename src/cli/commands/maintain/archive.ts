import { resolve } from 'node:path'
import type { TopicArchiveResult } from '../../../control/archive.ts'
import type { Catalog } from '../../../engine/plan/index.ts'
import type { Command } from '../../shared/command.ts'
import { assertKnownName, openForWriting, writeArguments } from '../../shared/open-system.ts'
import { barText, bytesText, countText, manyText } from '../../terminal/format.ts'

const BAR_WIDTH = 30

export const archive: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const [topic = ''] = args
  const { before, to: directory = '' } = flags
  await using system = await openForWriting(asked)
  const { topics } = (await system.run('describe')) as Catalog
  const names = topics.map(({ name }) => name)
  assertKnownName('TOPIC_NOT_FOUND', topic, names)
  const to = resolve(terminal.cwd, directory)
  const given = { topic, before, to, ...writeArguments(flags) }
  const archived = (await system.run('archive', given, ({ done, total }) => {
    const counted = `${countText(done)} of ${manyText(total, 'record')}`
    terminal.progress(`${barText(done, total, BAR_WIDTH)}  ${counted}`)
  })) as TopicArchiveResult
  terminal.progress('')
  if (flags.json) terminal.print(JSON.stringify(archived))
  else {
    const { records, bytes, files } = archived
    const into = `${manyText(files.length, 'file')} of ${bytesText(bytes)}`
    if (records === 0) terminal.print(`${topic} has no records to move.`)
    else terminal.print(`Moved ${manyText(records, 'record')} of ${topic} into ${into}.`)
    for (const { partition, to: end, heldBy } of archived.partitions)
      if (heldBy !== undefined)
        terminal.print(
          `  ${topic}/${partition} stops at offset ${end}: ${heldBy} has read no further.`,
        )
  }
  return 0
}
