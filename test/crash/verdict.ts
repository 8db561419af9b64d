// Judges the report of a damaged directory by that of the undamaged one: everything must be the same,
// or the damage reported. Nothing may be silently different.
import { isDeepStrictEqual } from 'node:util'
import type { PartitionFound, Report, Said } from './report.ts'

/**
 * `whole`: everything reads back as it was. `partition`: the damage is reported with its range, and the
 * rest works. `directory`: the directory is refused with a code.
 */
export interface Verdict {
  readonly is: 'whole' | 'partition' | 'directory'
  /** What is wrong. */
  readonly complaints: readonly string[]
  /** What is still wrong after a repair. */
  readonly unrepaired: readonly string[]
}

/** `expected` is the report of the undamaged directory; no report means that the process died. */
export function verdictOn(expected: Report, found: Report | undefined): Verdict {
  if (!found) return directoryVerdict(['the process died'])
  if (found.refused) return directoryVerdict(complaintsOfRefused(expected, found))
  const named = namedIn(found)
  const complaints = [
    ...expected.partitions.flatMap((before) => complaintsOfPartition(before, found)),
    ...complaintsOfStates(expected, found, named.length > 0),
  ]
  const unrepaired = complaintsOfRepair(expected, found)
  return { is: named.length > 0 ? 'partition' : 'whole', complaints, unrepaired }
}

const directoryVerdict = (complaints: readonly string[]): Verdict => {
  return { is: 'directory', complaints, unrepaired: [] }
}

/** All damage in the report. */
function namedIn({ partitions, states, ill }: Report): readonly string[] {
  const said = [
    ...partitions.map((each) => each.said),
    ...Object.values(states).map((each) => (typeof each === 'string' ? undefined : each)),
  ]
  const named = said.filter((each) => each !== undefined).map(({ text }) => text)
  return ill === undefined ? named : [...named, ill]
}

/** A refusal needs a code; records that are still readable must be unchanged. */
function complaintsOfRefused(expected: Report, found: Report): readonly string[] {
  const { refused, reading, salvaged } = found
  const complaints = [...complaintsOfSaid('opening', refused)]
  if (typeof reading === 'object') complaints.push(...complaintsOfSaid('reading', reading))
  for (const partition of found.partitions) {
    const before = expected.partitions.find(({ name }) => name === partition.name)
    complaints.push(...complaintsOfSaid(partition.name, partition.said))
    const known = new Set(before?.records.map(String))
    const made = partition.records.filter((record) => !known.has(String(record)))
    if (made.length > 0) complaints.push(`${partition.name}: reading has other records`)
  }
  return [...complaints, ...complaintsOfSalvage(expected, salvaged)]
}

function complaintsOfSalvage(expected: Report, salvaged: Report['salvaged']): readonly string[] {
  if (salvaged === undefined) return []
  if ('text' in salvaged) return complaintsOfSaid('salvage', salvaged)
  const known = new Map<string, string>(
    expected.partitions.flatMap(({ name, records }) =>
      records.map(([offset, sum]) => [`${name}@${offset}`, sum] as const),
    ),
  )
  const other = salvaged.find(([place, sum]) => known.has(place) && known.get(place) !== sum)
  return other ? [`salvage has another record at ${other[0]}`] : []
}

/** After a repair all partitions work, records are unchanged, and no offset is reused. */
function complaintsOfRepair(expected: Report, { repaired }: Report): readonly string[] {
  if (repaired === undefined) return []
  if ('text' in repaired) return [...complaintsOfSaid('repair', repaired)]
  return repaired.flatMap(({ name, records, next, said, fresh }) => {
    const before = expected.partitions.find((each) => each.name === name)
    const known = new Map(before?.records)
    const other = records.find(([offset, sum]) => known.has(offset) && known.get(offset) !== sum)
    const complaints: string[] = []
    if (other) complaints.push(`${name}: another record at ${other[0]} after the repair`)
    if (said) complaints.push(`${name} is damaged after the repair: ${said.text}`)
    if (fresh !== 'stored' && fresh !== 'repeat')
      complaints.push(`${name}: an append after the repair is answered ${fresh}`)
    if (next < (before?.next ?? 0)) complaints.push(`${name} reuses offsets after the repair`)
    return complaints
  })
}

function complaintsOfSaid(where: string, said: Said | undefined): readonly string[] {
  return said && said.code === undefined ? [`${where}: a fault without a code: ${said.text}`] : []
}

function complaintsOfPartition(before: PartitionFound, found: Report): readonly string[] {
  const { name } = before
  const after = found.partitions.find((each) => each.name === name)
  if (!after) return [`${name} is gone`]
  const { said, again, fresh } = after
  const complaints = [...complaintsOfSaid(name, said)]
  const known = new Set(before.records.map(([offset]) => offset))
  const records = after.records.filter(([offset]) => known.has(offset))
  const isPart = records.every((record, at) => isDeepStrictEqual(record, before.records[at]))
  // An older copy may have records that were trimmed or compacted since, if its age is reported.
  const mayBeOlder = said !== undefined || found.ill !== undefined
  if (!isPart || (records.length < after.records.length && !mayBeOlder))
    complaints.push(`${name} has other records`)
  for (const answer of [again, fresh])
    if (answer?.startsWith('threw')) complaints.push(`${name}: an append ${answer}`)
  if (again === 'stored') complaints.push(`${name}: its last record was stored again`)
  if (said) {
    if (!/\d/.test(said.text)) complaints.push(`${name}: no range is named: ${said.text}`)
    if (fresh === 'stored') complaints.push(`${name} is damaged and was appended to`)
    return complaints
  }
  if (records.length < before.records.length)
    complaints.push(`${name} has ${records.length} of ${before.records.length} records, silently`)
  if (after.next !== before.next || (after.first !== before.first && found.ill === undefined))
    complaints.push(`${name} is from ${after.first} to ${after.next}, silently`)
  // Damage of shared pages stops all writes, and health reports it.
  const isStopped = fresh === 'LOG_DAMAGED' && found.ill !== undefined
  if (fresh !== 'stored' && !isStopped)
    complaints.push(`${name} is sound, and an append is answered ${fresh}`)
  return complaints
}

/** After a lost tail the state before it is there, and the loss is reported. */
function complaintsOfStates(
  expected: Report,
  { states }: Report,
  isNamed: boolean,
): readonly string[] {
  return Object.entries(expected.states).flatMap(([name, before]) => {
    const after = states[name]
    if (after === undefined) return [`${name} is gone`]
    if (typeof after !== 'string') return complaintsOfSaid(name, after)
    return after === before || isNamed ? [] : [`${name} differs silently`]
  })
}
