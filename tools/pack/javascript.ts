// Converts TypeScript to JavaScript: removes the types and keeps the rest.
//
//   node tools/node.mjs tools/pack/javascript.ts FROM_DIRECTORY TO_DIRECTORY
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Formats the source, which has blanks in place of types. */
function formatted(name: string, source: string): string {
  const oxfmt = join(root, 'node_modules/oxfmt/bin/oxfmt')
  const args = [oxfmt, '-c', join(root, '.oxfmtrc.json'), `--stdin-filepath=${name}`]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    input: source,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${name} could not be formatted: ${stderr}`)
  return stdout
}

const [from, to] = process.argv.slice(2)
if (from === undefined || to === undefined) throw new Error('javascript.ts FROM TO')
mkdirSync(to, { recursive: true })
for (const file of readdirSync(from).filter((each) => each.endsWith('.ts'))) {
  const name = file.replace(/\.ts$/, '.js')
  const source = readFileSync(join(from, file), 'utf8')
  const stripped = stripTypeScriptTypes(source).replaceAll(/(from '\.[^']*)\.ts'/g, "$1.js'")
  writeFileSync(join(to, name), formatted(name, stripped))
}
