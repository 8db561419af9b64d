import { NO_COUNTS } from '../../ports/progress.ts'
import type { Issue } from '../../base/errors/fault.ts'
import { issueCountText, Fault } from '../../base/errors/fault.ts'
import { compareText } from '../../base/text/compare-text.ts'
import { definitionOf, repliesTopic } from '../../contract/contract.ts'
import { EMPTY_UNIT } from '../../ports/empty-unit.ts'
import type { LogEnd } from '../../ports/event-log.ts'
import type { Advance, RowWrite } from '../../ports/event-store.ts'
import type { StartFrom } from '../../rules/rule.ts'
import type { RuleIdentity, ServiceIdentity, StoredIdentity } from './identity.ts'
import { identityWrites, readIdentities } from './identity.ts'
import { retryUntilWritten } from './retry-until-written.ts'
import type { Consumer, ServicePlan, KnownNames, NamedInCode } from '../plan/index.ts'
import { startOffset, isStoredTwice } from '../plan/index.ts'
import type { EngineContext } from '../context/index.ts'

/** A consumer with topics that it has never read before. */
interface NewConsumer {
  readonly service: ServicePlan
  readonly consumer: Consumer
  /** Its stored identity, if only some of its topics are new to it. */
  readonly storedRule: RuleIdentity | undefined
  readonly topics: readonly string[]
  readonly ends: readonly LogEnd[]
}

/** A stored rule that the code no longer has. */
interface MissingRule extends RuleIdentity {
  readonly service: StoredIdentity
  readonly name: string
}

/**
 * Refuses to start when a consumer would process records again, or is new to topics with a history
 * and does not say where it starts. Changes nothing.
 *
 * @throws Fault `START_REFUSED` with all issues
 */
export async function assertKnownConsumers(engine: EngineContext): Promise<void> {
  const stored = await readIdentities(engine.backend.store)
  const newcomers = await findNewConsumers(engine, stored)
  const issues = [
    ...nameIssues(engine, stored),
    ...kindIssues(engine, stored),
    ...(await startIssues(engine, stored, newcomers)),
  ]
  const detail = issueCountText(issues)
  if (issues.length > 0) throw new Fault('START_REFUSED', { detail, issues })
}

/**
 * Stores the identities of all consumers and, in the same unit, the start offsets of new ones.
 *
 * @throws Fault `START_REFUSED`, `STORE_UNKNOWN`
 */
export async function registerConsumers(engine: EngineContext): Promise<void> {
  await retryUntilWritten(engine, 'the identities of consumers were not stored', () =>
    tryToRegister(engine),
  )
}

/** One attempt. Another instance of the same services may write the same rows at the same time. */
async function tryToRegister(engine: EngineContext): Promise<boolean> {
  const { plan, backend } = engine
  const stored = await readIdentities(backend.store)
  const newcomers = await findNewConsumers(engine, stored)
  const rows = plan.services.flatMap((service): readonly RowWrite[] => {
    const known = stored.find(({ id }) => id === service.id)
    return identityWrites(service.id, createIdentity(engine, service, known, newcomers), known)
  })
  if (rows.length === 0) return true
  const starts = await Promise.all(newcomers.map((each) => startOffsets(engine, each)))
  const sorted = rows.toSorted((a, b) => compareText(a.key, b.key))
  const answer = await backend.store.commit({
    ...EMPTY_UNIT,
    rows: sorted,
    progress: starts.flat(),
  })
  if (answer.status === 'unknown')
    throw new Fault('STORE_UNKNOWN', { detail: 'an identity', cause: answer.cause })
  return answer.status === 'done'
}

function consumersOf({ plan }: EngineContext): readonly (readonly [ServicePlan, Consumer])[] {
  return plan.services.flatMap((service) =>
    service.groups.flatMap(({ consumers }) =>
      consumers.map((consumer) => [service, consumer] as const),
    ),
  )
}

async function findNewConsumers(
  engine: EngineContext,
  stored: readonly StoredIdentity[],
): Promise<readonly NewConsumer[]> {
  const { catalog, backend } = engine
  const reads = new Map(
    catalog.services.flatMap(({ rules }) => rules.map((each) => [each.id, each.reads])),
  )
  const consumers = consumersOf(engine)
  // A consumer with progress in a topic has started there, even if its identity was not stored.
  const begun = await backend.store.progress(consumers.map(([, { id }]) => id))
  const newcomers = consumers.map(([service, consumer]): NewConsumer => {
    const ofIt = begun.filter((each) => each.consumer === consumer.id)
    const known = stored.find(({ id }) => id === service.id)?.rules[consumer.ruleId]
    const topics = (reads.get(consumer.id) ?? []).filter(
      (topic) => !(topic in (known?.topics ?? {})) && !ofIt.some((each) => each.topic === topic),
    )
    return { service, consumer, storedRule: known, topics, ends: [] }
  })
  const ends = await backend.log.ends([...new Set(newcomers.flatMap(({ topics }) => topics))])
  return newcomers
    .filter(({ topics }) => topics.length > 0)
    .map((each) => ({ ...each, ends: ends.filter(({ topic }) => each.topics.includes(topic)) }))
}

/** Rules and services that say `renamedFrom` although both names have progress of their own. */
function nameIssues({ plan }: EngineContext, stored: readonly StoredIdentity[]): readonly Issue[] {
  const issues: Issue[] = []
  const look = (
    path: string,
    named: NamedInCode,
    known: readonly KnownNames[],
    all: readonly NamedInCode[],
  ): void => {
    if (!isStoredTwice(named, known, all)) return
    const { name, renamedFrom } = named
    const message = `has run under both names, ${name} and ${renamedFrom}: remove renamedFrom: '${renamedFrom}'`
    issues.push({ path, message })
  }
  const services = plan.services.map(({ service }) => service)
  for (const { id, name, service } of plan.services) {
    look(name, service, stored, services)
    const rules = stored.find((each) => each.id === id)?.rules ?? {}
    const known = Object.entries(rules).map(([ruleId, { names }]) => ({ id: ruleId, names }))
    const all = service.runs.filter(({ kind }) => kind !== 'query')
    for (const rule of all) look(`${name}/${rule.name}`, rule, known, all)
  }
  return issues
}

/**
 * Names that stood for another kind of rule: the new one would take over rows and progress of the
 * former.
 */
function kindIssues(engine: EngineContext, stored: readonly StoredIdentity[]): readonly Issue[] {
  return consumersOf(engine).flatMap(([service, { ruleId, name: path, rule }]): Issue[] => {
    const known = stored.find(({ id }) => id === service.id)?.rules[ruleId]
    if (!known || known.kind === rule.kind) return []
    const message = `is now of kind ${rule.kind} and was of kind ${known.kind}: give it a new name`
    return [{ path, message }]
  })
}

async function startIssues(
  engine: EngineContext,
  stored: readonly StoredIdentity[],
  newcomers: readonly NewConsumer[],
): Promise<readonly Issue[]> {
  const missing = findMissingRules(engine, stored)
  const issues: Issue[] = []
  for (const service of engine.plan.services) {
    const isNew = !stored.some(({ id }) => id === service.id)
    const silent: { each: NewConsumer; former: readonly MissingRule[] }[] = []
    for (const each of newcomers.filter((one) => one.service === service)) {
      const former = findFormerRules(each, missing)
      if (await lacksStartFrom(engine, stored, each, former)) silent.push({ each, former })
    }
    const renamed = isNew ? silent.flatMap(({ former }) => former.map((one) => one.service)) : []
    if (renamed.length > 0)
      issues.push({ path: service.name, message: renamedServiceText(renamed, silent) })
    else for (const { each, former } of silent) issues.push(startIssue(each, former))
  }
  return issues
}

/**
 * Stored rules that the code no longer has. In a shared store, a service that does not run here may
 * run in another process.
 */
function findMissingRules(
  { plan, backend }: EngineContext,
  stored: readonly StoredIdentity[],
): readonly MissingRule[] {
  return stored.flatMap((service): MissingRule[] => {
    const here = plan.services.find(({ id }) => id === service.id)
    const isElsewhere =
      backend.store.can.shared && !service.owns.some((name) => plan.owners.has(name))
    if (!here && isElsewhere) return []
    const ids = here?.groups.flatMap(({ consumers }) => consumers.map(({ ruleId }) => ruleId)) ?? []
    return Object.entries(service.rules)
      .filter(([id]) => !ids.includes(id))
      .map(([id, rule]) => ({ ...rule, service, name: rule.names.at(-1) ?? id }))
  })
}

/**
 * Missing rules of the same kind that read its topics: the new consumer may be one of them,
 * renamed.
 */
function findFormerRules(
  { consumer: { rule }, topics, storedRule }: NewConsumer,
  missing: readonly MissingRule[],
): readonly MissingRule[] {
  return missing.filter(
    ({ kind, topics: read, isGone }) =>
      kind === rule.kind &&
      topics.some((topic) => topic in read) &&
      // A projection can be rebuilt at any time. Only one that disappears just as another appears
      // may be a forgotten rename.
      (kind !== 'projection' || (!isGone && !storedRule)),
  )
}

/** Whether a new consumer must say where it starts, and does not. */
async function lacksStartFrom(
  engine: EngineContext,
  stored: readonly StoredIdentity[],
  { service, consumer: { rule }, storedRule, ends }: NewConsumer,
  former: readonly MissingRule[],
): Promise<boolean> {
  if (rule.startFrom !== undefined) return false
  // A rule that has never sent a command can have no replies to read.
  const own = repliesTopic(service.id)
  const past = ends.filter(({ topic, next }) => next > 0 && (storedRule || topic !== own))
  if (past.length === 0 || former.length > 0) return past.length > 0
  if (rule.kind === 'projection') return false
  // Commands that no entity has ever read wait for the first one that decides them.
  const isRead = ({ topic }: LogEnd): boolean =>
    stored.some(({ rules }) => Object.values(rules).some(({ topics }) => topic in topics))
  if (rule.kind === 'entity' && !past.some(isRead)) return false
  const old = await Promise.all(past.map((end) => isHistory(engine, end)))
  return old.includes(true)
}

/** Records of other services that were started only just before do not count as history. */
async function isHistory(
  { backend: { log }, clock, options }: EngineContext,
  { topic, partition, first }: LogEnd,
): Promise<boolean> {
  if (first > 0) return true
  return (await log.offsetAt(topic, partition, clock.now() - options.historyAgeMs)) > first
}

function startIssue(
  { consumer, storedRule, topics, ends }: NewConsumer,
  former: readonly MissingRule[],
): Issue {
  const { rule, id, name: path } = consumer
  const read = topics.filter((name) => ends.some(({ topic, next }) => topic === name && next > 0))
  const records = ends.reduce((sum, { first, next }) => sum + next - first, 0)
  const own = storedRule ? [] : former.filter(({ service }) => id.startsWith(`${service.id}/`))
  const names = (own.length > 0 ? own : former).map(({ name }) => name).join(' or ')
  const cure = own.map(({ name }) => `renamedFrom: '${name}'`).join(' or ')
  const message =
    `is new to ${read.join(' and ')} (${records} records)` +
    (former.length > 0 ? `, and ${names}, which read them, no longer exists: ` : ': ') +
    (cure ? `add ${cure} to continue from its progress, or ` : 'add ') +
    (rule.kind === 'projection' ? `startFrom: 'beginning'` : `startFrom: 'beginning' or 'now'`)
  return { path, message }
}

function renamedServiceText(
  renamed: readonly StoredIdentity[],
  silent: readonly { readonly each: NewConsumer }[],
): string {
  const names = [...new Set(renamed.map(({ names: all, id }) => all.at(-1) ?? id))]
  const cure = names.map((name) => `renamedFrom: '${name}'`).join(' or ')
  const rules = silent.map(({ each }) => {
    const records = each.ends.reduce((sum, { first, next }) => sum + next - first, 0)
    return `${each.consumer.rule.name} (${records} records)`
  })
  return (
    `is new, and ${names.join(' and ')}, whose topics it reads, no longer exists: add ${cure} to ` +
    `continue from its progress, or startFrom: 'beginning' or 'now' to ${rules.join(', ')}`
  )
}

/** The start offsets of a new consumer that does not start at the beginning. */
async function startOffsets(
  { backend: { log } }: EngineContext,
  { consumer, ends }: NewConsumer,
): Promise<readonly Advance[]> {
  const { id, rule } = consumer
  const { startFrom = 'beginning' } = rule
  if (startFrom === 'beginning') return []
  return Promise.all(
    ends.map(async (end) => {
      const { topic, partition } = end
      const next = await startOffset(log, end, startFrom)
      return { consumer: id, topic, partition, from: 0, next, ...NO_COUNTS }
    }),
  )
}

function createIdentity(
  { catalog }: EngineContext,
  service: ServicePlan,
  known: StoredIdentity | undefined,
  newcomers: readonly NewConsumer[],
): ServiceIdentity {
  const rules: Record<string, RuleIdentity> = {}
  for (const [id, rule] of Object.entries(known?.rules ?? {})) rules[id] = { ...rule, isGone: true }
  const reads = catalog.services.find(({ id }) => id === service.id)?.rules ?? []
  for (const { consumers } of service.groups)
    for (const { id, ruleId, rule } of consumers) {
      const before = known?.rules[ruleId]
      const { startFrom = 'beginning' } = rule
      const isNew = newcomers.find(({ consumer }) => consumer.id === id)?.topics ?? []
      const all = reads.find((each) => each.id === id)?.reads ?? []
      const begun = all.map((topic): [string, StartFrom] => {
        const from = isNew.includes(topic) ? startFrom : 'beginning'
        return [topic, before?.topics[topic] ?? from]
      })
      const topics = { ...before?.topics, ...Object.fromEntries(begun) }
      rules[ruleId] = { kind: rule.kind, names: withCurrentName(before?.names, rule.name), topics }
    }
  const owns = service.service.owns.map((contract) => definitionOf(contract).name)
  return { names: withCurrentName(known?.names, service.name), owns, rules }
}

const withCurrentName = (names: readonly string[] = [], name: string): readonly string[] => [
  ...names.filter((each) => each !== name),
  name,
]
