// Runs the tests: all of them, or those of the files that are named. A skipped test is a failure
// where CI is set, since there everything that a test needs is there.
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'

const everywhere = ['src', 'examples', 'test', 'bench'].map((room) => `${room}/**/*.test.ts`)
const named = process.argv.slice(2)
// Rules fail on purpose in tests; those that look at the faults ask to be told.
const flags = [
  '--test',
  '--disable-warning=Throughline',
  // By default one core is left idle, and much of the time tests wait for other processes.
  `--test-concurrency=${availableParallelism()}`,
]
/** What installs packages or opens a browser takes longest, and so begins first. */
const isLong = (file: string): boolean => /^test[/\\](?:package|page)[/\\]/.test(file)
const found = everywhere.flatMap((pattern) => globSync(pattern)).sort()
const ordered = [...found.filter(isLong), ...found.filter((file) => !isLong(file))]
const files = named.length > 0 ? named : ordered
// Hundreds of processes load the same modules: they are compiled once.
const cache = resolve('node_modules', '.cache', 'throughline')
const child = spawn(process.execPath, [...flags, ...files], {
  stdio: ['inherit', 'pipe', 'inherit'],
  env: { NODE_COMPILE_CACHE: cache, ...process.env },
})
let tail = ''
child.stdout.on('data', (chunk: Buffer) => {
  process.stdout.write(chunk)
  tail = (tail + chunk.toString()).slice(-20_000)
})
child.on('exit', (code) => {
  const [, skipped] = /skipped (\d+)/.exec(tail) ?? []
  const isStrict = process.env['CI'] === 'true'
  if (isStrict && Number(skipped) > 0) {
    process.stderr.write(`${skipped} tests were skipped; here that is a failure\n`)
    process.exitCode = 1
  } else process.exitCode = code ?? 1
})
