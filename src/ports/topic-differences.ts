import type { TopicSpec } from './event-log.ts'

/** Describes each setting in which an existing topic differs from its declaration. */
export function topicDifferences(has: TopicSpec, wanted: TopicSpec): readonly string[] {
  const differences: string[] = []
  if (has.partitions !== wanted.partitions)
    differences.push(`has ${has.partitions} partitions, not ${wanted.partitions}`)
  if (has.strategy !== wanted.strategy)
    differences.push(
      `has the partition strategy ${String(has.strategy)}, not ${String(wanted.strategy)}`,
    )
  for (const [name, of] of SETTINGS)
    if (of(has) !== of(wanted)) differences.push(`has ${name} ${of(has)}, not ${of(wanted)}`)
  return differences
}

const SETTINGS: readonly (readonly [name: string, of: (spec: TopicSpec) => string])[] = [
  ['the retention', ({ retention }) => boundText(retention?.ageMs, 'ms')],
  ['the retention', ({ retention }) => boundText(retention?.bytes, 'bytes')],
  ['the delete retention', ({ compaction }) => boundText(compaction?.deleteRetentionMs, 'ms')],
]

const boundText = (bound: number | undefined, unit: string): string =>
  bound === undefined ? `of no ${unit}` : `of ${bound} ${unit}`
