// Opens a backend in a new directory, and kills itself before the n-th step: a change of the file
// system or of a database. Of a file being written it leaves the first half. Without a step it prints
// all steps.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { DatabaseSync, StatementSync } from 'node:sqlite'

const [directory = '', at = '0'] = process.argv.slice(2)
const { writeFileSync } = fs
const steps: string[] = []

function step(what: string, leave?: () => void): void {
  steps.push(what)
  if (steps.length !== Number(at)) return
  leave?.()
  process.kill(process.pid, 'SIGKILL')
}

for (const name of ['mkdirSync', 'renameSync', 'fsyncSync'] as const) {
  const original = fs[name] as (...args: unknown[]) => unknown
  Object.assign(fs, {
    [name](...args: unknown[]) {
      step(name)
      return original(...args)
    },
  })
}
fs.writeFileSync = (path, data, options) => {
  const text = data as string
  step('writeFileSync', () => writeFileSync(path, text.slice(0, text.length / 2)))
  writeFileSync(path, data, options)
}
syncBuiltinESMExports()
const isCreate = (what: string): boolean => what.includes('CREATE')
const { exec } = DatabaseSync.prototype
const { run } = StatementSync.prototype
DatabaseSync.prototype.exec = function (sql) {
  // Several statements in one call are separate steps.
  for (const each of sql.split(/;(?!\s*END)/).filter((part) => part.trim() !== '')) {
    // All tables are created in one transaction; one step stands for all.
    if (!isCreate(each) || !steps.some(isCreate)) step(each)
    exec.call(this, each)
  }
}
StatementSync.prototype.run = function (this: StatementSync, ...values: Parameters<typeof run>) {
  step('run')
  return run.apply(this, values)
} as typeof run

const { embedded } = await import('../../../src/backends/embedded/index.ts')
await embedded({ directory }).log.open()
process.stdout.write(`${JSON.stringify({ steps })}\n`)
