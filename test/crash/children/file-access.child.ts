// Runs the services and every verb of the command line, and records which files this process opens
// through Node.js: once the database is open, its files must not be among them.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** The opened files, the verbs that ran, and those that failed. */
export interface FileAccess {
  readonly opened: readonly string[]
  readonly verbs: readonly string[]
  readonly failed: readonly string[]
}

const [directory = '', planted = ''] = process.argv.slice(2)

if (import.meta.main) {
  const opened: string[] = []
  const noted = (path: unknown): void => {
    if (typeof path === 'string' && path.startsWith(directory)) opened.push(path)
  }
  for (const name of ['openSync', 'open', 'readFileSync', 'readFile', 'createReadStream'] as const)
    note(fs as never, name)
  for (const name of ['copyFileSync', 'copyFile', 'cpSync', 'cp', 'writeFileSync'] as const)
    note(fs as never, name)
  for (const name of ['open', 'readFile', 'copyFile', 'cp'] as const)
    note(fs.promises as never, name)
  syncBuiltinESMExports()

  function note(owner: Record<string, (...args: unknown[]) => unknown>, name: string): void {
    const original = owner[name] as (...args: unknown[]) => unknown
    owner[name] = (...args) => {
      for (const path of args.slice(0, 2)) noted(path)
      return original(...args)
    }
  }

  const { start } = await import('throughline')
  const { embedded } = await import('throughline/embedded')
  const { Bank, services } = await import('../support/scenario.ts')
  const { depositOf } = await import('../support/batches.ts')
  const app = await start(services, embedded({ directory }), {
    tools: { post: { tell: async () => undefined } },
  })
  const failed: string[] = []
  for (let number = 1; number <= 20; number += 1)
    await app.send(Bank.Deposit(depositOf(number)), { id: `deposit-${number}` })
  await app.settled()
  // Opening may read files itself, since SQLite has no locks yet that it could drop.
  opened.length = 0
  const { VERBS, runVerb } = await import('../../../src/control/verbs.ts')
  const { systemOf } = await import('../../../src/runtime/running-system.ts')
  const given: Readonly<Record<string, Record<string, unknown>>> = {
    log: { topic: 'bank.events' },
    chain: { event: 'deposit-1' },
    pause: { service: 'bank' },
    resume: { service: 'bank' },
  }
  const verbs = Object.keys(VERBS) as (keyof typeof VERBS)[]
  for (const verb of verbs)
    await runVerb(systemOf(app), verb, given[verb] ?? {}).catch((cause: unknown) =>
      failed.push(`${verb}: ${String(cause)}`),
    )
  // As a control: a read that must be recorded.
  if (planted) fs.readFileSync(planted)
  await app.stop()
  process.stdout.write(`${JSON.stringify({ opened, verbs, failed } satisfies FileAccess)}\n`)
}
