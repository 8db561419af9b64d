import { differencesOf } from '../../ports/differences.ts'
import type { TopicSpec, TopicState } from '../../ports/log.ts'
import type { Statements } from './statements.ts'

/** Where a partition begins and ends. */
export interface Head {
  first: number
  next: number
}

export interface Topic {
  readonly id: number
  readonly spec: TopicSpec
  readonly heads: readonly Head[]
}

/** The topics with the heads of their partitions: in memory, as the database has them. */
export interface Heads {
  /** Reads again what memory knows. */
  load(): void
  declare(spec: TopicSpec): TopicState
  known(topic: string): Topic | undefined
  /** @throws Error when the topic was not declared */
  topic(name: string): Topic
  /** @throws Error when there is no such partition */
  head(topic: string, partition: number): Head
}

export function headsIn(sql: Statements): Heads {
  const topics = new Map<string, Topic>()
  const topicOf = (name: string): Topic => {
    const topic = topics.get(name)
    if (!topic) throw new Error(`the topic ${name} was not declared`)
    return topic
  }
  return {
    load() {
      topics.clear()
      for (const topic of loadTopics(sql)) topics.set(topic.spec.name, topic)
    },
    declare(spec) {
      const known = topics.get(spec.name)
      if (known)
        return { ...known.spec, isNew: false, differences: differencesOf(known.spec, spec) }
      topics.set(spec.name, createTopic(sql, spec))
      return { ...spec, isNew: true, differences: [] }
    },
    known: (name) => topics.get(name),
    topic: topicOf,
    head(name, partition) {
      const head = topicOf(name).heads[partition]
      if (!head) throw new Error(`${name} has no partition ${partition}`)
      return head
    },
  }
}

function loadTopics(sql: Statements): readonly Topic[] {
  const heads = new Map<number, Head[]>()
  const rows = sql.all('SELECT topic, part, first, next FROM head ORDER BY topic, part')
  for (const [topic, , first, next] of rows as readonly (readonly number[])[]) {
    const ofTopic = heads.get(topic as number) ?? []
    ofTopic.push({ first: first as number, next: next as number })
    heads.set(topic as number, ofTopic)
  }
  return sql.all('SELECT id, name, partitions, strategy FROM topic').map((row) => {
    const [id, name, partitions, strategy] = row as [number, string, number, TopicSpec['strategy']]
    return { id, spec: { name, partitions, strategy }, heads: heads.get(id) ?? [] }
  })
}

function createTopic(sql: Statements, spec: TopicSpec): Topic {
  const { name, partitions, strategy } = spec
  const created = sql.get(
    'INSERT INTO topic (name, partitions, strategy) VALUES (?, ?, ?) RETURNING id',
    name,
    partitions,
    strategy,
  )
  const id = created?.[0] as number
  const heads = Array.from({ length: partitions }, () => ({ first: 0, next: 0 }))
  const rows = heads.map(({ first, next }, partition) => [id, partition, first, next])
  sql.insert('INSERT INTO head (topic, part, first, next)', '', rows)
  return { id, spec: { name, partitions, strategy }, heads }
}
