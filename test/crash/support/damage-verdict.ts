// Judges the report of a damaged directory by that of the undamaged one: everything must be the same,
// or the damage reported. Nothing may be silently different.
import { isDeepStrictEqual } from 'node:util'
import type { PartitionFound, InspectionReport, ReportedError } from './inspection-report.ts'

/**
 * `whole`: everything reads back as it was. `partition`: the damage is reported with its range, and the
 * rest works. `directory`: the directory is refused with a code.
 */
export interface DamageVerdict {
  readonly kind: 'whole' | 'partition' | 'directory'
  /** What is wrong. */
  readonly violations: readonly string[]
  /** What is still wrong after a repair. */
  readonly unrepaired: readonly string[]
}

/** `expected` is the report of the undamaged directory; no report means that the process died. */
export function judgeDamage(
  expected: InspectionReport,
  found: InspectionReport | undefined,
): DamageVerdict {
  if (!found) return directoryVerdict(['the process died'])
  if (found.refused) return directoryVerdict(refusedViolations(expected, found))
  const named = reportedDamage(found)
  const violations = [
    ...expected.partitions.flatMap((before) => partitionViolations(before, found)),
    ...stateViolations(expected, found, named.length > 0),
  ]
  const unrepaired = repairViolations(expected, found)
  return { kind: named.length > 0 ? 'partition' : 'whole', violations, unrepaired }
}

const directoryVerdict = (violations: readonly string[]): DamageVerdict => {
  return { kind: 'directory', violations, unrepaired: [] }
}

/** All damage in the report. */
function reportedDamage({ partitions, states, failure }: InspectionReport): readonly string[] {
  const said = [
    ...partitions.map((each) => each.error),
    ...Object.values(states).map((each) => (typeof each === 'string' ? undefined : each)),
  ]
  const named = said.filter((each) => each !== undefined).map(({ text }) => text)
  return failure === undefined ? named : [...named, failure]
}

/** A refusal needs a code; records that are still readable must be unchanged. */
function refusedViolations(expected: InspectionReport, found: InspectionReport): readonly string[] {
  const { refused, reading, salvaged } = found
  const violations = [...uncodedViolations('opening', refused)]
  if (typeof reading === 'object') violations.push(...uncodedViolations('reading', reading))
  for (const partition of found.partitions) {
    const before = expected.partitions.find(({ name }) => name === partition.name)
    violations.push(...uncodedViolations(partition.name, partition.error))
    const known = new Set(before?.records.map(String))
    const made = partition.records.filter((record) => !known.has(String(record)))
    if (made.length > 0) violations.push(`${partition.name}: reading has other records`)
  }
  return [...violations, ...salvageViolations(expected, salvaged)]
}

function salvageViolations(
  expected: InspectionReport,
  salvaged: InspectionReport['salvaged'],
): readonly string[] {
  if (salvaged === undefined) return []
  if ('text' in salvaged) return uncodedViolations('salvage', salvaged)
  const known = new Map<string, string>(
    expected.partitions.flatMap(({ name, records }) =>
      records.map(([offset, sum]) => [`${name}@${offset}`, sum] as const),
    ),
  )
  const other = salvaged.find(([place, sum]) => known.has(place) && known.get(place) !== sum)
  return other ? [`salvage has another record at ${other[0]}`] : []
}

/** After a repair all partitions work, records are unchanged, and no offset is reused. */
function repairViolations(
  expected: InspectionReport,
  { repaired }: InspectionReport,
): readonly string[] {
  if (repaired === undefined) return []
  if ('text' in repaired) return [...uncodedViolations('repair', repaired)]
  return repaired.flatMap(({ name, records, next, error, fresh }) => {
    const before = expected.partitions.find((each) => each.name === name)
    const known = new Map(before?.records)
    const other = records.find(([offset, sum]) => known.has(offset) && known.get(offset) !== sum)
    const violations: string[] = []
    if (other) violations.push(`${name}: another record at ${other[0]} after the repair`)
    if (error) violations.push(`${name} is damaged after the repair: ${error.text}`)
    if (fresh !== 'stored' && fresh !== 'repeat')
      violations.push(`${name}: an append after the repair is answered ${fresh}`)
    if (next < (before?.next ?? 0)) violations.push(`${name} reuses offsets after the repair`)
    return violations
  })
}

function uncodedViolations(where: string, said: ReportedError | undefined): readonly string[] {
  return said && said.code === undefined ? [`${where}: a fault without a code: ${said.text}`] : []
}

function partitionViolations(before: PartitionFound, found: InspectionReport): readonly string[] {
  const { name } = before
  const after = found.partitions.find((each) => each.name === name)
  if (!after) return [`${name} is gone`]
  const { error, again, fresh } = after
  const violations = [...uncodedViolations(name, error)]
  const known = new Set(before.records.map(([offset]) => offset))
  const records = after.records.filter(([offset]) => known.has(offset))
  const isPart = records.every((record, at) => isDeepStrictEqual(record, before.records[at]))
  // An older copy may have records that were trimmed or compacted since, if its age is reported.
  const mayBeOlder = error !== undefined || found.failure !== undefined
  if (!isPart || (records.length < after.records.length && !mayBeOlder))
    violations.push(`${name} has other records`)
  for (const answer of [again, fresh])
    if (answer?.startsWith('threw')) violations.push(`${name}: an append ${answer}`)
  if (again === 'stored') violations.push(`${name}: its last record was stored again`)
  if (error) {
    if (!/\d/.test(error.text)) violations.push(`${name}: no range is named: ${error.text}`)
    if (fresh === 'stored') violations.push(`${name} is damaged and was appended to`)
    return violations
  }
  if (records.length < before.records.length)
    violations.push(`${name} has ${records.length} of ${before.records.length} records, silently`)
  if (after.next !== before.next || (after.first !== before.first && found.failure === undefined))
    violations.push(`${name} is from ${after.first} to ${after.next}, silently`)
  // Damage of shared pages stops all writes, and health reports it.
  const isStopped = fresh === 'LOG_DAMAGED' && found.failure !== undefined
  if (fresh !== 'stored' && !isStopped)
    violations.push(`${name} is sound, and an append is answered ${fresh}`)
  return violations
}

/** After a lost tail the state before it is there, and the loss is reported. */
function stateViolations(
  expected: InspectionReport,
  { states }: InspectionReport,
  isNamed: boolean,
): readonly string[] {
  return Object.entries(expected.states).flatMap(([name, before]) => {
    const after = states[name]
    if (after === undefined) return [`${name} is gone`]
    if (typeof after !== 'string') return uncodedViolations(name, after)
    return after === before || isNamed ? [] : [`${name} differs silently`]
  })
}
