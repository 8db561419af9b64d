// Builds the npm package: JavaScript with declarations, the page, the command, and the templates.
//
//   npm run pack -- [OUT_DIRECTORY] [--json]
//
// Writes `throughline-VERSION.tgz` into OUT_DIRECTORY, by default `dist`. The same sources give the
// same bytes.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { stage } from './pack/stage.ts'

interface Packed {
  readonly filename: string
  readonly size: number
  readonly unpackedSize: number
  readonly integrity: string
  readonly entryCount: number
}

/** Runs `npm pack`, without scripts. */
function pack(directory: string, out: string): Packed {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', out]
  const { status, stdout, stderr } = spawnSync('npm', args, {
    cwd: directory,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (status !== 0) throw new Error(`npm pack failed:\n${stdout}${stderr}`)
  // A list in older versions of npm, an object by name in newer ones.
  const [packed] = Object.values(JSON.parse(stdout) as Readonly<Record<string, Packed>>)
  if (!packed) throw new Error(`npm pack created no file:\n${stdout}`)
  return packed
}

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const out = resolve(positionals[0] ?? 'dist')
const directory = mkdtempSync(join(tmpdir(), 'throughline-pack-'))
try {
  const { name, version } = stage(directory)
  mkdirSync(out, { recursive: true })
  const { filename, size, unpackedSize, integrity, entryCount } = pack(directory, out)
  const file = join(out, filename)
  const summary = {
    name,
    version,
    file,
    packedBytes: size,
    unpackedBytes: unpackedSize,
    fileCount: entryCount,
    integrity,
  }
  const kB = (bytes: number): string => `${(bytes / 1_000).toFixed(0)} kB`
  process.stdout.write(
    values.json
      ? `${JSON.stringify(summary)}\n`
      : `${file}: ${kB(size)} packed, ${kB(unpackedSize)} unpacked, ${entryCount} files\n`,
  )
} finally {
  rmSync(directory, { recursive: true })
}
