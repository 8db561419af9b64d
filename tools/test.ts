// Runs tests: by default those that need only the repo and a short time; with --servers those that need a
// browser or the npm registry, kill processes, or send thousands of requests; or the named files. If CI is
// set, a skipped test is a failure.
//
//   npm test -- [FILE...]
//   npm run test:servers
//   npm run test:long -- [--times N] [FILE...]   property tests with N times as many runs; default 10
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
// Rules fail on purpose in tests, so their warnings are off.
const flags = [
  '--test',
  '--disable-warning=Throughline',
  `--import=${new URL('untracked-promises.mjs', import.meta.url).href}`,
  // The default leaves one core idle, but tests often wait for disks and processes.
  `--test-concurrency=${availableParallelism() + 1}`,
]
/** Tests that kill processes, send thousands of requests, install packages, or open a browser. */
const isApart = (file: string): boolean => /^test[/\\](?:crash|fuzz|package|page)[/\\]/.test(file)
const found = everywhere.flatMap((pattern) => globSync(pattern)).sort()
const wanted = found.filter((file) => isApart(file) === values.servers)
const files = named.length > 0 ? named : wanted
/** Free bytes that the data of several test files needs at a time. */
const ROOM_BYTES = 2 ** 31
/** Keeps test data in memory where there is space, so that no test waits for syncs. */
function inMemory(): { readonly TMPDIR?: string } {
  const directory = '/dev/shm'
  if (!existsSync(directory)) return {}
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize >= ROOM_BYTES ? { TMPDIR: directory } : {}
}
// Hundreds of processes load the same modules, so share the compile cache.
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
  // The runner does not count skipped suites and their tests, but prints a line for them.
  skipped += lines.filter((each) => /^\s*\ufe63 /.test(stripVTControlCharacters(each))).length
})
child.on('close', (code) => {
  const isStrict = process.env['CI'] === 'true'
  if (isStrict && skipped > 0) {
    process.stderr.write(`${skipped} tests or suites were skipped, which is a failure in CI\n`)
    process.exitCode = 1
  } else process.exitCode = code ?? 1
})
