// Inspects the directories that its input lines name, and prints one report each.
import { createInterface } from 'node:readline'
import { inspectDirectory } from '../support/inspection-report.ts'

for await (const directory of createInterface(process.stdin))
  process.stdout.write(`${JSON.stringify(await inspectDirectory(directory))}\n`)
