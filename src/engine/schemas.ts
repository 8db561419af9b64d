// Checks of schemas at start, so that an unusable one is found before a client sends a message.
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import type { ContractFacts } from '../contract/contract.ts'
import type { MessageType } from '../contract/message.ts'
import { flawOfSchema } from '../contract/probe.ts'

/**
 * Runs every schema of these contracts on generated values, including earlier versions and answers.
 *
 * @throws Fault `SCHEMA_INVALID` with all issues
 */
export async function schemasMustBeUsable(contracts: Iterable<ContractFacts>): Promise<void> {
  const complaints = await complaintsOfSchemas(contracts)
  if (complaints.length === 0) return
  const detail = complaints.length === 1 ? 'one schema' : `${complaints.length} schemas`
  const few = complaints.slice(0, LIMITS.complaintsMax)
  throw new Fault('SCHEMA_INVALID', { detail, complaints: few })
}

/**
 * Issues with the schemas of contracts, such as asynchronous schemas and schemas that create class
 * instances.
 */
export async function complaintsOfSchemas(
  contracts: Iterable<ContractFacts>,
): Promise<readonly Complaint[]> {
  const complaints: Complaint[] = []
  for (const { byName } of contracts)
    for (const type of byName.values())
      for (const { where, schema, isAnswer } of schemasOf(type)) {
        const flaw = await flawOfSchema(schema, isAnswer)
        if (!flaw) continue
        const { path, message } = flaw
        complaints.push({ path: path === '' ? where : `${where}, ${path}`, message })
      }
  return complaints
}

interface Placed {
  readonly where: string
  readonly schema: MessageType['schema']
  readonly isAnswer?: boolean
}

/** A refusal contains its command, whose schema is checked already. */
function schemasOf(type: MessageType): readonly Placed[] {
  const { wire, schema, was } = type
  if (type.kind === 'refusal') return []
  const earlier = was.map(([each], at) => ({ where: `${wire} version ${at + 1}`, schema: each }))
  const answer =
    type.kind === 'query'
      ? [{ where: `the answer to ${wire}`, schema: type.answers, isAnswer: true }]
      : []
  return [...earlier, { where: wire, schema }, ...answer]
}
