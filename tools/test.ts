// Runs the tests: those that need nothing but the repo, those that need more (a browser, the registry
// of packages), or those of the files that are named. A skipped test is a failure where CI is set,
// since there everything that a test needs is there.
//
//   npm test -- [FILE...]
//   npm run test:servers
//   npm run test:long -- [--times N] [FILE...]   with N times as many tries of laws; default 10
import { spawn } from 'node:child_process'
import { existsSync, globSync, statfsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs, stripVTControlCharacters } from 'node:util'

const everywhere = ['src', 'examples', 'test', 'bench'].map((room) => `${room}/**/*.test.ts`)
const { values, positionals: named } = parseArgs({
  options: {
    times: { type: 'string', default: '1' },
    servers: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
// Rules fail on purpose in tests; those that look at the faults ask to be told.
const flags = [
  '--test',
  '--disable-warning=Throughline',
  `--import=${new URL('untracked-promises.mjs', import.meta.url).href}`,
  // By default one core is left idle, and much of the time tests wait: for a disk, for processes.
  `--test-concurrency=${availableParallelism() + 1}`,
]
/** What installs packages or opens a browser. */
const needsServers = (file: string): boolean => /^test[/\\](?:package|page)[/\\]/.test(file)
const found = everywhere.flatMap((pattern) => globSync(pattern)).sort()
const wanted = found.filter((file) => needsServers(file) === values.servers)
const files = named.length > 0 ? named : wanted
/** Room that the data of tests has to have, several files at a time. */
const ROOM_BYTES = 2 ** 31
/**
 * Tests that need a disk of their own mount one. The data of all others lies in memory where there is
 * room, so that nothing waits for syncs.
 */
function inMemory(): { readonly TMPDIR?: string } {
  const directory = '/dev/shm'
  if (!existsSync(directory)) return {}
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize >= ROOM_BYTES ? { TMPDIR: directory } : {}
}
// Hundreds of processes load the same modules: they are compiled once.
const cache = resolve('node_modules', '.cache', 'throughline')
const child = spawn(process.execPath, [...flags, ...files], {
  stdio: ['inherit', 'pipe', 'inherit'],
  env: {
    NODE_COMPILE_CACHE: cache,
    THROUGHLINE_TIMES: values.times,
    ...inMemory(),
    ...process.env,
  },
})
let line = ''
let skipped = 0
child.stdout.setEncoding('utf8').on('data', (text: string) => {
  process.stdout.write(text)
  const lines = (line + text).split('\n')
  line = lines.pop() ?? ''
  // The runner counts no suite that is skipped, nor the tests in it, but says so in a line.
  skipped += lines.filter((each) => /^\s*\ufe63 /.test(stripVTControlCharacters(each))).length
})
child.on('close', (code) => {
  const isStrict = process.env['CI'] === 'true'
  if (isStrict && skipped > 0) {
    process.stderr.write(`${skipped} tests or suites were skipped; here that is a failure\n`)
    process.exitCode = 1
  } else process.exitCode = code ?? 1
})
