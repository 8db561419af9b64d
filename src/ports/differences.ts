import type { TopicSpec } from './log.ts'

/** What is wanted of a topic and what it has, where they differ. */
export function differencesOf(has: TopicSpec, wanted: TopicSpec): readonly string[] {
  const differences: string[] = []
  if (has.partitions !== wanted.partitions)
    differences.push(`has ${has.partitions} partitions, not ${wanted.partitions}`)
  if (has.strategy !== wanted.strategy)
    differences.push(
      `has the partition strategy ${String(has.strategy)}, not ${String(wanted.strategy)}`,
    )
  return differences
}
