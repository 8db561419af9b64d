// Checks of schemas at start, so that an unusable one is found before a client sends a message.
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import { LIMITS } from '../../base/limits.ts'
import type { ContractDefinition } from '../../contract/contract.ts'
import type { MessageType } from '../../contract/message.ts'
import { unusableSchemaIssue } from '../../contract/schema/probe.ts'

/**
 * Runs every schema of these contracts on generated values, including earlier versions and answers.
 *
 * @throws Fault `SCHEMA_INVALID` with all issues
 */
export async function assertUsableSchemas(contracts: Iterable<ContractDefinition>): Promise<void> {
  const issues = await findSchemaIssues(contracts)
  if (issues.length === 0) return
  const detail = issues.length === 1 ? 'one schema' : `${issues.length} schemas`
  const firstIssues = issues.slice(0, LIMITS.issuesMax)
  throw new Fault('SCHEMA_INVALID', { detail, issues: firstIssues })
}

/**
 * Issues with the schemas of contracts, such as asynchronous schemas and schemas that create class
 * instances.
 */
export async function findSchemaIssues(
  contracts: Iterable<ContractDefinition>,
): Promise<readonly Issue[]> {
  const issues: Issue[] = []
  for (const { byName } of contracts)
    for (const type of byName.values())
      for (const { where, schema, isAnswer } of schemaUses(type)) {
        const issue = await unusableSchemaIssue(schema, isAnswer)
        if (!issue) continue
        const { path, message } = issue
        issues.push({ path: path === '' ? where : `${where}, ${path}`, message })
      }
  return issues
}

interface SchemaUse {
  readonly where: string
  readonly schema: MessageType['schema']
  readonly isAnswer?: boolean
}

/** A refusal contains its command, whose schema is checked already. */
function schemaUses(type: MessageType): readonly SchemaUse[] {
  const { wire, schema, upcasters } = type
  if (type.kind === 'refusal') return []
  const earlier = upcasters.map(([each], at) => ({
    where: `${wire} version ${at + 1}`,
    schema: each,
  }))
  const answer =
    type.kind === 'query'
      ? [{ where: `the answer to ${wire}`, schema: type.answers, isAnswer: true }]
      : []
  return [...earlier, { where: wire, schema }, ...answer]
}
