import { embedded } from '../../backends/embedded/index.ts'
import type { RebuildProgress, Rebuilt } from '../../engine/rebuild.ts'
import { rebuildAlone } from '../../runtime/rebuild-alone.ts'
import type { Asked, Command } from '../command.ts'
import { directoryOf, reach, reachRunning } from '../data.ts'
import { barText, countText, manyText } from '../figures.ts'
import { importSystem } from '../system-module.ts'

const BAR_WIDTH = 30

export const rebuild: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const [file = '', projection = ''] = args
  const tell = ({ done, total }: RebuildProgress): void => {
    const counted = `${countText(done)} of ${manyText(total, 'record')}`
    terminal.show(`${barText(done, total, BAR_WIDTH)}  ${counted}`)
  }
  const owner = await reachRunning(directoryOf(asked))
  const rebuilt = owner
    ? ((await owner.run('rebuild', { projection }, tell)) as Rebuilt)
    : await alone(asked, file, projection, tell)
  terminal.show('')
  const { version, events } = rebuilt
  if (flags.json) terminal.print(JSON.stringify(rebuilt))
  else
    terminal.print(`Rebuilt ${projection}: version ${version}, from ${manyText(events, 'event')}.`)
  return 0
}

async function alone(
  asked: Asked,
  file: string,
  projection: string,
  tell: (progress: RebuildProgress) => void,
): Promise<Rebuilt> {
  const { services, tools, engine } = await importSystem(asked.terminal, file)
  // Open it read-only first: opening as owner would create missing data.
  await (await reach(asked))[Symbol.asyncDispose]()
  return rebuildAlone(services, embedded({ directory: directoryOf(asked) }), projection, {
    tell,
    ...(tools === undefined ? {} : { tools }),
    ...(engine === undefined ? {} : { engine }),
  })
}
