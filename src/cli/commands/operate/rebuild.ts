import { embedded } from '../../../backends/embedded/index.ts'
import type { RebuildProgress, RebuildResult } from '../../../engine/rebuild/index.ts'
import { rebuildProjectionOffline } from '../../../runtime/rebuild-offline.ts'
import type { Invocation, Command } from '../../shared/command.ts'
import {
  auditOffline,
  connectToOwner,
  dataDirectory,
  openSystem,
  writeArguments,
} from '../../shared/open-system.ts'
import { barText, countText, manyText } from '../../terminal/format.ts'
import { importSystem } from '../../shared/system-module.ts'

const BAR_WIDTH = 30

export const rebuild: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const [file = '', projection = ''] = args
  const onProgress = ({ done, total }: RebuildProgress): void => {
    const counted = `${countText(done)} of ${manyText(total, 'record')}`
    terminal.progress(`${barText(done, total, BAR_WIDTH)}  ${counted}`)
  }
  const owner = await connectToOwner(dataDirectory(asked))
  const rebuilt = owner
    ? ((await owner.run(
        'rebuild',
        { projection, ...writeArguments(flags) },
        onProgress,
      )) as RebuildResult)
    : await rebuildOffline(asked, file, projection, onProgress)
  terminal.progress('')
  const { version, events } = rebuilt
  if (flags.json) terminal.print(JSON.stringify(rebuilt))
  else
    terminal.print(`Rebuilt ${projection}: version ${version}, from ${manyText(events, 'event')}.`)
  return 0
}

async function rebuildOffline(
  asked: Invocation,
  file: string,
  projection: string,
  onProgress: (progress: RebuildProgress) => void,
): Promise<RebuildResult> {
  const { services, tools, engine } = await importSystem(asked.terminal, file)
  // Open it read-only first: opening as owner would create missing data.
  await (await openSystem(asked))[Symbol.asyncDispose]()
  const backend = embedded({ directory: dataDirectory(asked) })
  return auditOffline(asked, 'rebuild', { projection }, () =>
    rebuildProjectionOffline(services, backend, projection, {
      onProgress,
      ...(tools === undefined ? {} : { tools }),
      ...(engine === undefined ? {} : { engine }),
    }),
  )
}
