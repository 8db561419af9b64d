import { assertSinglePackageCopy } from '../base/package-copy.ts'
import type { Issue } from '../base/errors/fault.ts'
import { issueCountText, Fault } from '../base/errors/fault.ts'
import { LIMITS } from '../base/limits.ts'
import type { AnyContract } from '../contract/contract.ts'
import { definitionOf, isContract } from '../contract/contract.ts'
import { shapeIssues } from '../contract/data/shape.ts'
import type { MessageType } from '../contract/message.ts'
import type { Entity } from '../rules/entity.ts'
import type { Handler } from '../rules/handler.ts'
import { HANDLER_CONCURRENCY, HANDLER_DELAY_MS, HANDLER_TIMEOUT_MS } from '../rules/handler.ts'
import { packageValuesOfServices } from '../rules/package-values.ts'
import type { QueryHandler } from '../rules/query-handler.ts'
import type { Rule } from '../rules/rule.ts'
import type { Runnable, Service } from '../rules/service.ts'
import { edgeIssues } from './validate-edges.ts'
import { failureIssues, optionIssues, renameIssues, startFromIssues } from './validate-options.ts'

const NAME = /^[a-z][a-z0-9-]*$/
const isName = (name: string): boolean => NAME.test(name) && name.length <= LIMITS.nameLengthMax

/** What the checks of one `validateServices` call share. */
interface ValidationContext {
  readonly services: readonly Service[]
  /** The service that owns each contract. */
  readonly owners: ReadonlyMap<AnyContract, Service>
  readonly remote: readonly AnyContract[]
  readonly tools: Readonly<Record<string, unknown>>
  readonly addIssue: (path: string, message: string) => void
}

/**
 * Validates the services together before anything starts. Every issue says what is wrong and how to
 * correct it.
 *
 * @throws Fault `START_REFUSED`, with all issues; `TWO_COPIES`
 */
export function validateServices(
  services: readonly Service[],
  remote: readonly AnyContract[],
  tools: Readonly<Record<string, unknown>>,
): void {
  const others = remote.map((contract, at) => [`remote[${at}]`, contract] as const)
  assertSinglePackageCopy([...packageValuesOfServices(services), ...others])
  const issues: Issue[] = []
  const addIssue = (path: string, message: string): void => void issues.push({ path, message })
  const owners = ownersOf(services, remote, addIssue)
  const context: ValidationContext = {
    services,
    owners,
    remote,
    tools,
    addIssue,
  }
  if (services.length === 0) addIssue('services', 'is empty: pass at least one service to start')
  checkNames(context)
  for (const service of services) {
    for (const rule of service.runs) checkRule(context, service, rule)
    issues.push(...optionIssues(service.name, service), ...edgeIssues(service, tools))
    const rules = service.runs.map((rule) => ({ ...rule, path: `${service.name}/${rule.name}` }))
    issues.push(...renameIssues(rules, isName))
  }
  const named = services.map((service) => ({ ...service, path: service.name }))
  issues.push(...renameIssues(named, isName))
  for (const [contract, service] of owners) checkCommandsDecided(context, contract, service)
  if (issues.length > 0)
    throw new Fault('START_REFUSED', { detail: issueCountText(issues), issues: issues })
}

function ownersOf(
  services: readonly Service[],
  remote: readonly AnyContract[],
  addIssue: ValidationContext['addIssue'],
): ReadonlyMap<AnyContract, Service> {
  const owners = new Map<AnyContract, Service>()
  const byName = new Map<string, AnyContract>()
  for (const contract of remote) byName.set(definitionOf(contract).name, contract)
  for (const service of services)
    for (const contract of service.owns) {
      if (!isContract(contract)) {
        addIssue(service.name, 'owns a value that is not a contract: create it with contract()')
        continue
      }
      const { name } = definitionOf(contract)
      const first = owners.get(contract)
      if (first)
        addIssue(
          service.name,
          `contract ${name} is owned by ${first.name} already: a contract has one owner, ` +
            `so remove it from the owns of one of them`,
        )
      else if (byName.has(name))
        addIssue(service.name, `another contract is named ${name}: rename one of them`)
      else owners.set(contract, service)
      byName.set(name, contract)
    }
  return owners
}

function checkNames({ services, addIssue }: ValidationContext): void {
  const seen = new Set<string>()
  for (const { name, runs } of services) {
    if (!isName(name)) addIssue(name, 'a service name must be lower-case words joined by hyphens')
    if (name === 'throughline') addIssue(name, 'this name is reserved: rename the service')
    if (seen.has(name)) addIssue(name, 'two services have this name: rename one')
    seen.add(name)
    const rules = new Set<string>([
      'operations',
      'timers',
      'holds',
      'held',
      'held-pages',
      'control',
      'snapshots',
    ])
    for (const rule of runs) {
      if (!isName(rule.name))
        addIssue(`${name}/${rule.name}`, 'a rule name must be lower-case words joined by hyphens')
      if (rules.has(rule.name))
        addIssue(
          `${name}/${rule.name}`,
          'this name is reserved or used twice in the service: rename the rule',
        )
      rules.add(rule.name)
    }
  }
}

function checkRule(context: ValidationContext, service: Service, rule: Runnable): void {
  const path = `${service.name}/${rule.name}`
  const { addIssue } = context
  const issues = [optionIssues(path, rule), startFromIssues(path, rule), failureIssues(path, rule)]
  for (const each of issues.flat()) addIssue(each.path, each.message)
  if (!checkMessageLists(context, path, rule)) return
  if (rule.kind === 'entity' || rule.kind === 'query') {
    if (!isContract(rule.of))
      return addIssue(path, 'its option of is not a contract: create it with contract()')
    const definition = definitionOf(rule.of)
    if (context.owners.get(rule.of) !== service)
      addIssue(
        path,
        `is a rule of contract ${definition.name}: add the contract to the owns of ${service.name}`,
      )
  }
  if (rule.kind === 'entity' || rule.kind === 'saga')
    for (const { path: where, message } of shapeIssues(rule.initial))
      addIssue(path, `its initial state cannot be stored: ${where} ${message}`)
  if (rule.kind === 'entity' || rule.kind === 'projection')
    if (!Number.isSafeInteger(rule.version) || rule.version < 1)
      addIssue(path, 'its version must be a whole number of at least 1')
  if (rule.kind === 'entity') {
    checkOneRulePerMessage(context, path, rule.decide)
    checkOneRulePerMessage(context, path, rule.evolve)
    return checkEntity(context, path, rule)
  }
  checkOneRulePerMessage(context, path, rule.rules)
  if (rule.kind === 'query') return checkQueryHandler(context, service, path, rule)
  for (const each of rule.rules) checkMessageKnown(context, path, 'has a rule for', each.on)
  for (const { on, trigger } of rule.rules)
    if (trigger === 'message' && (on.kind === 'command' || on.kind === 'query'))
      addIssue(
        path,
        `has a rule for the ${on.kind} ${on.wire}, which only its owner handles: use an event`,
      )
    else if (
      trigger !== 'message' &&
      !(rule.kind === 'saga' && rule.sends.some((each) => each === on))
    )
      addIssue(path, `waits for an answer to ${on.wire}, which it does not send: add it to sends`)
  if (rule.kind === 'handler') checkHandler(addIssue, path, rule)
  if (rule.kind === 'saga' || rule.kind === 'handler') {
    for (const type of rule.sends) checkMessageKnown(context, path, 'sends', type)
    for (const type of rule.emits) checkMessageKnown(context, path, 'emits', type)
    for (const type of rule.emits)
      if (
        !service.owns.some((each) => isContract(each) && definitionOf(each).name === type.contract)
      )
        addIssue(
          path,
          `emits ${type.wire}, which ${service.name} does not own: let the owner emit it`,
        )
  }
  if (rule.kind === 'handler') checkTools(context, path, rule)
}

/** The options of rules that are lists of message types, with the kind that each may contain. */
const LISTS = { sends: 'command', emits: 'event', receives: 'event' } as const

/** In JavaScript a list may contain any value, such as `undefined` for a misspelt message name. */
function checkMessageLists({ addIssue }: ValidationContext, path: string, rule: Runnable): boolean {
  let isValid = true
  const refuse = (message: string): void => {
    isValid = false
    addIssue(path, message)
  }
  const lists = rule as unknown as Readonly<Record<string, readonly MessageType[] | undefined>>
  for (const [list, kind] of Object.entries(LISTS))
    for (const type of lists[list] ?? [])
      if (type?.kind !== kind)
        refuse(`its ${list} contains ${nameOf(type)}, which is not of kind ${kind}: remove it`)
  const rules = rule.kind === 'entity' ? [...rule.decide, ...rule.evolve] : rule.rules
  for (const { on } of rules as readonly { readonly on?: MessageType }[])
    if (!on?.kind)
      refuse(`has a rule for ${nameOf(on)}, which is not a message type: is its name misspelt?`)
  return isValid
}

const nameOf = (type: Partial<MessageType> | undefined): string => type?.wire ?? typeof type

/** A query handler answers queries of its own contract from rows and states of its own service. */
function checkQueryHandler(
  { addIssue }: ValidationContext,
  service: Service,
  path: string,
  query: QueryHandler,
): void {
  const { byName, name } = definitionOf(query.of)
  for (const { on } of query.rules)
    if (byName.get(on.name) !== on || on.kind !== 'query')
      addIssue(path, `answers ${on.wire}, which is not a query of ${name}: remove that rule`)
  if (!Array.isArray(query.reads))
    return addIssue(path, 'has no reads: list the projections and entities that it reads')
  for (const readable of query.reads) {
    if (service.runs.includes(readable)) continue
    const what = `${readable?.kind ?? typeof readable} ${readable?.name ?? ''}`.trim()
    addIssue(
      path,
      `reads ${what}, which ${service.name} does not run: a service reads only its own rows, so fold ` +
        `the same events into a projection of ${service.name}`,
    )
  }
}

function checkTools({ tools, addIssue }: ValidationContext, path: string, rule: Handler): void {
  const { uses, thread } = rule
  const names = Object.keys(uses)
  if (thread === undefined) {
    for (const tool of names)
      if (!Object.hasOwn(tools, tool))
        addIssue(path, `needs the tool ${tool}: pass it to start in tools: { ${tool} }`)
    return
  }
  if (!URL.canParse(thread) || new URL(thread).protocol !== 'file:')
    addIssue(path, `its thread must be the module that exports it: thread: import.meta.url`)
  if (names.length > 0)
    addIssue(
      path,
      `runs in a thread, and tools cannot be passed to threads: create ${names.join(', ')} in its ` +
        `module, and remove uses`,
    )
}

function checkHandler(addIssue: ValidationContext['addIssue'], path: string, rule: Handler): void {
  for (const [name, { min, max }] of Object.entries({
    concurrency: HANDLER_CONCURRENCY,
    delayMs: HANDLER_DELAY_MS,
    timeoutMs: HANDLER_TIMEOUT_MS,
  })) {
    const value = rule[name as 'concurrency' | 'delayMs' | 'timeoutMs']
    if (!Number.isInteger(value) || value < min || value > max)
      addIssue(path, `its ${name} must be a whole number from ${min} to ${max}`)
  }
  if (rule.consume !== 'stream' && rule.consume !== 'queue')
    addIssue(path, 'its consume must be "stream" or "queue"')
}

/** A list has at most one rule per message: two would both run, and the message would be counted twice. */
function checkOneRulePerMessage(
  { addIssue }: ValidationContext,
  path: string,
  rules: readonly Rule[],
): void {
  for (const [at, { on, trigger }] of rules.entries())
    if (rules.findIndex((other) => other.on === on && other.trigger === trigger) < at)
      addIssue(path, `has two rules for ${on.wire}: merge them`)
}

function checkMessageKnown(
  { owners, remote, addIssue }: ValidationContext,
  path: string,
  does: string,
  type: MessageType,
): void {
  const contract = [...owners.keys(), ...remote].find(
    (each) => definitionOf(each).name === type.contract,
  )
  const wire = `${type.contract}.${type.name}`
  if (!contract)
    addIssue(
      path,
      `${does} ${wire}, but no service here owns ${type.contract}: start its owner, too, ` +
        `or list the contract in remote`,
    )
  else if (definitionOf(contract).byName.get(type.name) !== type)
    addIssue(path, `${does} ${wire}, which contract ${type.contract} does not have`)
}

function checkEntity(context: ValidationContext, path: string, entity: Entity): void {
  const definition = definitionOf(entity.of)
  const belongs = (rule: Rule, kind: string): void => {
    if (rule.on.contract !== definition.name || definition.byName.get(rule.on.name) !== rule.on)
      context.addIssue(
        path,
        `has a rule for ${rule.on.contract}.${rule.on.name}, which contract ${definition.name} does not have`,
      )
    else if (rule.on.kind !== kind)
      context.addIssue(
        path,
        `${rule.on.name} is not of kind ${kind}: move its rule to the other list`,
      )
  }
  const { topicSettings } = definition
  if (entity.evolve.length > 0 && (topicSettings.retention?.events || topicSettings.compaction))
    context.addIssue(
      path,
      `folds the events of ${definition.name}, which its retention or compaction deletes: remove ` +
        `retention.events and compaction from the contract`,
    )
  for (const rule of entity.decide) belongs(rule, 'command')
  for (const rule of entity.evolve) belongs(rule, 'event')
  for (const type of [...(entity.emits ?? []), ...entity.receives])
    if (definition.byName.get(type.name) !== type)
      context.addIssue(
        path,
        `lists ${type.wire} in emits or receives, which contract ${definition.name} does not have: an entity ` +
          `emits and receives events of its own contract`,
      )
  if (!entity.emits) return
  for (const { on } of entity.evolve)
    if (![...entity.emits, ...entity.receives].some(({ name }) => name === on.name))
      context.addIssue(
        path,
        `has an evolve rule for ${on.name}, which it does not emit: add it to emits, or to receives ` +
          `if another entity emits it`,
      )
}

/** Exactly one entity decides each command; some entity evolves by each event that may be emitted. */
function checkCommandsDecided(
  context: ValidationContext,
  contract: AnyContract,
  service: Service,
): void {
  const { byName, name } = definitionOf(contract)
  const entities = service.runs.filter(
    (rule): rule is Entity => rule.kind === 'entity' && rule.of === contract,
  )
  for (const type of new Set(byName.values())) {
    const path = `${name}.${type.name}`
    if (type.kind === 'command') {
      const deciders = entities.filter(({ decide }) => decide.some(({ on }) => on === type))
      if (deciders.length === 0)
        context.addIssue(
          path,
          `no entity decides this command: add a decide rule for it to an entity of ${service.name}`,
        )
      if (deciders.length > 1)
        context.addIssue(
          path,
          `is decided by ${deciders.map((each) => each.name).join(' and ')}: keep one of the rules`,
        )
    }
    if (type.kind === 'event') checkEventEvolved(context, path, type, entities)
  }
}

function checkEventEvolved(
  { addIssue }: ValidationContext,
  path: string,
  type: MessageType,
  entities: readonly Entity[],
): void {
  const emitters = entities.filter(
    ({ emits, decide }) => decide.length > 0 && (emits?.some((each) => each === type) ?? true),
  )
  const evolvers = entities.filter(({ evolve }) => evolve.some(({ on }) => on === type))
  const isEvolved = evolvers.length > 0
  if (emitters.length > 0 && !isEvolved)
    addIssue(
      path,
      `may be emitted by ${emitters.map(({ name }) => name).join(' and ')}, but no entity has an ` +
        `evolve rule for it: add one, or remove the event from emits`,
    )
  if (emitters.length === 0 && evolvers.some(({ emits }) => !emits))
    addIssue(
      path,
      `has an evolve rule in ${evolvers.map(({ name }) => name).join(' and ')}, but no entity may emit ` +
        `it: add it to the emits of one, or remove the evolve rule`,
    )
}
