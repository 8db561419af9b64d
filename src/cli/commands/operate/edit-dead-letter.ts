import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Fault } from '../../../base/errors/fault.ts'
import type { DeadLetterEntry } from '../../../control/views.ts'
import type { ListPage } from '../../../engine/listing/index.ts'
import type { Invocation } from '../../shared/command.ts'
import type { OpenSystem } from '../../shared/open-system.ts'
import { openForWriting, writeArguments } from '../../shared/open-system.ts'
import { EXIT_CODES } from '../../terminal/exit-codes.ts'

export async function editDeadLetter(asked: Invocation, id: string): Promise<number> {
  const { terminal, flags } = asked
  const data = newData(asked)
  await using system = await openForWriting(asked)
  const consumer = flags.consumer ?? (await onlyConsumer(system, id))
  const edited = await system.run('dead-edit', { consumer, id, data, ...writeArguments(flags) })
  if (flags.json) terminal.print(JSON.stringify(edited))
  else {
    terminal.print(`${consumer} gets the new data of ${id}; the log keeps the original.`)
    terminal.print(`Redrive it with: throughline dead redrive ${id} --consumer ${consumer}`)
  }
  return EXIT_CODES.ok.code
}

export async function undoDeadLetterEdit(asked: Invocation, id: string): Promise<number> {
  const { terminal, flags } = asked
  await using system = await openForWriting(asked)
  const consumer = flags.consumer ?? (await onlyConsumer(system, id))
  const undone = await system.run('dead-undo-edit', { consumer, id, ...writeArguments(flags) })
  if (flags.json) terminal.print(JSON.stringify(undone))
  else terminal.print(`${consumer} gets the original data of ${id}.`)
  return EXIT_CODES.ok.code
}

/** The data as JSON text, from a file or from the command line. */
function newData({ terminal, flags }: Invocation): string {
  const { newData: given } = flags
  const refuse = (message: string): Fault =>
    new Fault('OPTION_INVALID', { detail: 'dead', issues: [{ path: 'new-data', message }] })
  if (given === undefined) throw refuse('is missing: name a file, or give the new data as JSON')
  const path = resolve(terminal.cwd, given)
  const isFile = existsSync(path)
  const text = isFile ? readFileSync(path, 'utf8') : given
  try {
    JSON.parse(text)
    return text
  } catch (cause) {
    const { message } = cause as Error
    throw refuse(
      isFile ? `${path} is not JSON: ${message}` : `is no file, and not JSON: ${message}`,
    )
  }
}

/** The consumer at which a message is a dead letter, if there is only one. */
async function onlyConsumer(system: OpenSystem, id: string): Promise<string> {
  const { items } = (await system.run('dead', { id })) as ListPage<DeadLetterEntry>
  const [only, ...others] = items.map(({ consumer }) => consumer)
  if (only === undefined)
    throw new Fault('MESSAGE_NOT_FOUND', { detail: `no dead letter ${id}`, ids: { id } })
  if (others.length === 0) return only
  const message = `is missing: ${id} has failed at ${[only, ...others].join(', ')}`
  throw new Fault('OPTION_INVALID', { detail: 'dead', issues: [{ path: 'consumer', message }] })
}
