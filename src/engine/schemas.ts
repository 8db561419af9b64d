// Schemas that no message can have: found at start, before a client meets them.
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import type { ContractFacts } from '../contract/contract.ts'
import type { MessageType } from '../contract/message.ts'
import { flawOfSchema } from '../contract/probe.ts'

/**
 * Has every schema of contracts check made-up values, its earlier versions and answers included.
 *
 * @throws Fault `SCHEMA_INVALID` with all complaints
 */
export async function schemasMustBeUsable(contracts: Iterable<ContractFacts>): Promise<void> {
  const complaints = await complaintsOfSchemas(contracts)
  if (complaints.length === 0) return
  const detail = complaints.length === 1 ? 'one schema' : `${complaints.length} schemas`
  const few = complaints.slice(0, LIMITS.complaintsMax)
  throw new Fault('SCHEMA_INVALID', { detail, complaints: few })
}

/** What is wrong with the schemas of contracts: asynchronous ones, and such as make instances. */
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

/** A refusal holds its command, whose schema is looked at already. */
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
