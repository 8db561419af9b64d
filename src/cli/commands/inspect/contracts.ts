import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Issue } from '../../../base/errors/fault.ts'
import { Fault } from '../../../base/errors/fault.ts'
import { unknownNameDetail } from '../../../base/options.ts'
import type { AnyContract } from '../../../contract/contract.ts'
import { definitionOf } from '../../../contract/contract.ts'
import type { StoredMessage } from '../../../engine/startup/index.ts'
import {
  findStoredIssues,
  findStoredWarnings,
  findSchemaIssues,
} from '../../../engine/startup/index.ts'
import type { Invocation, Command } from '../../shared/command.ts'
import { openSystem } from '../../shared/open-system.ts'
import { EXIT_CODES } from '../../terminal/exit-codes.ts'
import { manyText, timeText } from '../../terminal/format.ts'
import { importContracts } from '../../shared/system-module.ts'
import { printable } from '../../../base/text/printable.ts'
import { tableText } from '../../terminal/table.ts'
import type { Terminal } from '../../terminal/terminal.ts'

const COLUMNS = [
  { title: 'message' },
  { title: 'kind' },
  { title: 'version', isNumber: true },
  { title: 'schemas', isNumber: true },
  { title: 'since' },
]

export const contracts: Command = async (asked) => {
  const { terminal, args, flags } = asked
  // Import first: an invalid file is wrong usage, with or without data.
  const checked = flags.check === undefined ? [] : await importContracts(terminal, flags.check)
  const stored = await storedMessages(asked)
  if (flags.check !== undefined) return check(asked, checked, stored)
  const [name] = args
  const shown = name === undefined ? stored : named(stored, name)
  if (flags.json) terminal.print(JSON.stringify(shown))
  else if (name === undefined) terminal.print(tableText(COLUMNS, rowsOf(shown), terminal.paint))
  else for (const message of shown) show(terminal, message)
  return EXIT_CODES.ok.code
}

/** The stored messages of the data, or of a file with the output of `contracts --json`. */
async function storedMessages(asked: Invocation): Promise<readonly StoredMessage[]> {
  const { terminal, flags } = asked
  if (flags.against !== undefined) return readStoredMessages(terminal.cwd, flags.against)
  await using system = await openSystem(asked)
  return (await system.run('contracts')) as readonly StoredMessage[]
}

function readStoredMessages(cwd: string, file: string): readonly StoredMessage[] {
  const wrong = (message: string): Fault =>
    new Fault('OPTION_INVALID', {
      detail: 'contracts',
      issues: [{ path: '--against', message: `${file} ${message}` }],
    })
  let stored: unknown
  try {
    stored = JSON.parse(readFileSync(resolve(cwd, file), 'utf8'))
  } catch (cause) {
    throw wrong(`cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  if (!Array.isArray(stored) || !stored.every(isStoredMessage))
    throw wrong('must contain the output of throughline contracts --json')
  return stored
}

function isStoredMessage(value: unknown): value is StoredMessage {
  const { contract, wire, kind, schemas } = (value ?? {}) as Partial<StoredMessage>
  return [contract, wire, kind].every((each) => typeof each === 'string') && Array.isArray(schemas)
}

/** The messages of a contract, or the message with this wire name. */
function named(stored: readonly StoredMessage[], name: string): readonly StoredMessage[] {
  const found = stored.filter(({ contract, wire }) => contract === name || wire === name)
  if (found.length > 0) return found
  const known = [...new Set(stored.flatMap(({ contract, wire }) => [contract, wire]))]
  throw new Fault('OPTION_INVALID', {
    detail: 'contracts',
    issues: [{ path: 'name', message: unknownNameDetail(name, known) }],
  })
}

function rowsOf(stored: readonly StoredMessage[]): readonly (readonly string[])[] {
  return stored.flatMap(({ wire, kind, schemas }) =>
    [...new Set(schemas.map(({ version }) => version))].map((version) => {
      const own = schemas.filter((each) => each.version === version)
      const since = Math.min(...own.map((each) => each.since))
      return [wire, kind, String(version), String(own.length), timeText(since)]
    }),
  )
}

function show({ print, paint }: Terminal, { wire, kind, schemas }: StoredMessage): void {
  for (const { version, since, schema } of schemas) {
    const title = printable(`${wire} version ${version}`)
    print(`${paint('bold', title)} (${kind}, since ${timeText(since)})`)
    const lines = schema === null ? NO_SCHEMA : JSON.stringify(schema, null, 2)
    for (const line of lines.split('\n')) print(`  ${printable(line)}`)
  }
}

const NO_SCHEMA = 'no JSON Schema, so changes are not checked'

async function check(
  { terminal, flags }: Invocation,
  checked: readonly AnyContract[],
  stored: readonly StoredMessage[],
): Promise<number> {
  const { print, paint } = terminal
  const facts = checked.map(definitionOf)
  const issues = [...(await findSchemaIssues(facts)), ...findStoredIssues(facts, stored)]
  const notes = findStoredWarnings(facts, stored)
  const isCompatible = issues.length === 0
  const code = isCompatible ? EXIT_CODES.ok.code : EXIT_CODES.failed.code
  if (flags.json) {
    print(JSON.stringify({ isCompatible, issues, notes }))
    return code
  }
  const names = facts.map(({ name }) => name).join(', ')
  const counted = `${manyText(stored.length, 'stored message type')}: ${printable(names)}`
  if (isCompatible) print(`${paint('green', 'Compatible')} with ${counted}.`)
  else print(`${paint('red', 'Incompatible')} with ${counted}; a start would be refused.`)
  printIssues(print, issues)
  if (notes.length > 0) print('Notes:')
  printIssues(print, notes)
  return code
}

function printIssues(print: Terminal['print'], issues: readonly Issue[]): void {
  for (const { path, message } of issues) print(`  ${printable(path)}: ${printable(message)}`)
}
