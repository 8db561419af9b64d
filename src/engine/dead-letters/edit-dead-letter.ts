import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { MessageType } from '../../contract/message.ts'
import { validateMessage } from '../../contract/validate-message.ts'
import type { EngineContext } from '../context/index.ts'
import { changeCountKey } from '../context/index.ts'
import type { EditRow } from '../failure/index.ts'
import { editKey } from '../failure/index.ts'
import { updateRow } from '../rows/index.ts'
import type { FoundLetter, LetterHold } from './find-dead-letters.ts'
import { findDeadLetters, holdsOfLetters } from './find-dead-letters.ts'
import type { AdminReason } from './redrive.ts'

/** A dead letter to edit: the message `id` at `consumer`. */
export interface EditRequest extends AdminReason {
  /** `<service>/<rule>`. */
  readonly consumer: string
  readonly id: string
  /** The whole data of the message, in the version that the code knows. */
  readonly data: unknown
}

/**
 * Edits a dead letter for its consumer: at every later read, rebuilds included, the consumer gets this
 * data. The log keeps the original. Does not redrive it.
 *
 * @throws Fault `MESSAGE_INVALID` with all issues, `MESSAGE_NOT_FOUND`, `RULE_NOT_FOUND`,
 * `STORE_UNKNOWN`
 */
export async function editDeadLetter(
  engine: EngineContext,
  { consumer, id, data, by, reason }: EditRequest,
): Promise<void> {
  const { rule, held } = await findLetter(engine, consumer, id)
  const type = typeOf(engine, held)
  const json = validJson(engine, type, held, data)
  const { clock } = engine
  const version = type.version
  const edit: EditRow = { consumer: rule.id, json, version, by, reason, at: clock.now() }
  await writeEdit(engine, rule.service, editKey(rule.service, rule.id, held.record), edit)
}

/**
 * Takes an edit back, so that the consumer gets the original again. Possible until the message is
 * redriven.
 *
 * @throws Fault `MESSAGE_NOT_FOUND`, `RULE_NOT_FOUND`, `STORE_UNKNOWN`
 */
export async function undoEdit(
  engine: EngineContext,
  { consumer, id }: Pick<EditRequest, 'consumer' | 'id'>,
): Promise<void> {
  const { rule, held } = await findLetter(engine, consumer, id)
  await writeEdit(engine, rule.service, editKey(rule.service, rule.id, held.record), undefined)
}

async function writeEdit(
  { backend: { store }, clock, options, pauses }: EngineContext,
  service: string,
  key: { readonly table: string; readonly key: string },
  edit: EditRow | undefined,
): Promise<void> {
  const parts = { store, clock, retryDelayMs: options.retryDelayMs }
  const body = edit ? JSON.stringify(edit) : null
  await updateRow(parts, key, 'an edit of a dead letter', () => body)
  // Consumers load their edits when operators have changed something.
  await updateRow(parts, changeCountKey(service), 'an edit of a dead letter', () => '{}')
  await pauses.refresh()
}

async function findLetter(
  engine: EngineContext,
  consumer: string,
  id: string,
): Promise<{ readonly rule: FoundLetter['rule']; readonly held: LetterHold }> {
  for await (const letter of findDeadLetters(engine, { consumer, id })) {
    const [held] = await holdsOfLetters(engine, [letter])
    if (held) return { rule: letter.rule, held }
  }
  const ids = { id, consumer }
  throw new Fault('MESSAGE_NOT_FOUND', { detail: `no dead letter ${id} at ${consumer}`, ids })
}

function typeOf({ plan }: EngineContext, { record }: LetterHold): MessageType {
  for (const { byWire } of plan.contracts.values()) {
    const type = byWire.get(record.type)
    if (type && type.kind !== 'refusal') return type
  }
  const ids = { id: record.id }
  throw new Fault('MESSAGE_INVALID', { detail: `${record.type} cannot be edited`, ids })
}

/** @throws Fault `MESSAGE_INVALID` */
function validJson(
  { plan }: EngineContext,
  { contract: name, kind, name: message, wire }: MessageType,
  { record }: LetterHold,
  data: unknown,
): string {
  const contract = plan.contracts.get(name)
  const refuse = (issues: readonly Issue[]): never => {
    throw new Fault('MESSAGE_INVALID', { detail: wire, issues, ids: { id: record.id } })
  }
  if (!contract) return refuse([{ path: '', message: 'its contract is not known here' }])
  const verdict = validateMessage(contract, { contract: name, name: message, kind, data } as never)
  if (verdict.status === 'invalid') return refuse(verdict.issues)
  const { key, json } = verdict.message
  if (key !== record.key)
    return refuse([{ path: contract.key, message: `must stay ${record.key}: it is the key` }])
  return json
}
