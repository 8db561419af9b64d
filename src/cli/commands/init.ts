import { relative, resolve } from 'node:path'
import type { Command } from '../shared/command.ts'
import { quoted } from '../terminal/format.ts'
import { init as write } from '../init.ts'
import { unpackedRepo } from '../manifest.ts'

export const init: Command = async ({ terminal, args, flags }) => {
  const { js = false, name, json } = flags
  const [directory = '.'] = args
  const target = resolve(terminal.cwd, directory)
  const files = await write(target, { isJavaScript: js, ...(name === undefined ? {} : { name }) })
  if (json) {
    terminal.print(JSON.stringify({ directory: target, files }))
    return 0
  }
  const place = relative(terminal.cwd, target)
  for (const file of files) terminal.print(`  ${file}`)
  terminal.print(`Created in ${place || 'this directory'}. Next steps:`)
  const repo = unpackedRepo(target)
  const steps = [
    ...(repo === undefined ? [] : [`npm --prefix ${quoted(repo)} run pack`]),
    ...(place ? [`cd ${quoted(place)}`] : []),
    'npm install',
    'npm test',
    'npm start',
  ]
  for (const step of steps) terminal.print(`  ${step}`)
  return 0
}
