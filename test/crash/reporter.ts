// Looks into one directory after another as it is told to, one line each. Lives on, whatever it finds.
import { createInterface } from 'node:readline'
import { reportOf } from './report.ts'

for await (const directory of createInterface(process.stdin))
  process.stdout.write(`${JSON.stringify(await reportOf(directory))}\n`)
