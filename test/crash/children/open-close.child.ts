// Opens and closes directories as its input lines say.
import { createInterface } from 'node:readline'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { Fault } from '../../../src/base/errors/fault.ts'
import type { EventLog } from '../../../src/ports/event-log.ts'

let log: EventLog | undefined

async function open(directory: string): Promise<string> {
  log = embedded({ directory }).log
  try {
    await log.open()
    return 'opened'
  } catch (cause) {
    return cause instanceof Fault ? cause.code : String(cause)
  }
}

function tell(status: string): void {
  process.stdout.write(`${JSON.stringify({ status })}\n`)
}

tell('up')
for await (const line of createInterface(process.stdin)) {
  if (line === 'close') {
    await log?.close()
    tell('closed')
  } else tell(await open(line))
}
