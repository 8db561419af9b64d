import { mustBeOneCopy } from '../base/copy.ts'
import type { Complaint } from '../base/fault.ts'
import { complaintsText, Fault } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import type { AnyContract } from '../contract/contract.ts'
import { factsOf, isContract } from '../contract/contract.ts'
import { complaintsOfShape } from '../contract/shape.ts'
import type { MessageType } from '../contract/message.ts'
import type { Entity } from '../rules/entity.ts'
import type { Handler } from '../rules/handler.ts'
import { HANDLER_CONCURRENCY, HANDLER_DELAY_MS } from '../rules/handler.ts'
import { partsOfServices } from '../rules/parts.ts'
import type { Query } from '../rules/query.ts'
import type { Rule } from '../rules/rule.ts'
import type { Runnable, Service } from '../rules/service.ts'
import { complaintsOfOptions, complaintsOfRenaming, complaintsOfStarts } from './known-options.ts'

const NAME = /^[a-z][a-z0-9-]*$/
const isName = (name: string): boolean => NAME.test(name) && name.length <= LIMITS.nameLengthMax

/** What the checks of one `validateServices` call share. */
interface Fitting {
  readonly services: readonly Service[]
  /** The service that owns each contract. */
  readonly owners: ReadonlyMap<AnyContract, Service>
  readonly elsewhere: readonly AnyContract[]
  readonly tools: Readonly<Record<string, unknown>>
  readonly complain: (path: string, message: string) => void
}

/**
 * Validates the services together before anything starts. Every issue says what is wrong and how to
 * correct it.
 *
 * @throws Fault `START_REFUSED`, with all issues; `TWO_COPIES`
 */
export function mustFit(
  services: readonly Service[],
  elsewhere: readonly AnyContract[],
  tools: Readonly<Record<string, unknown>>,
): void {
  const others = elsewhere.map((contract, at) => [`elsewhere[${at}]`, contract] as const)
  mustBeOneCopy([...partsOfServices(services), ...others])
  const issues: Complaint[] = []
  const complain = (path: string, message: string): void => void issues.push({ path, message })
  const owners = ownersOf(services, elsewhere, complain)
  const fitting: Fitting = { services, owners, elsewhere, tools, complain }
  if (services.length === 0) complain('services', 'is empty: pass at least one service to start')
  namesMustDiffer(fitting)
  for (const service of services) {
    for (const rule of service.runs) mustFitRule(fitting, service, rule)
    issues.push(...complaintsOfOptions(service.name, service))
    const rules = service.runs.map((rule) => ({ ...rule, path: `${service.name}/${rule.name}` }))
    issues.push(...complaintsOfRenaming(rules, isName))
  }
  const named = services.map((service) => ({ ...service, path: service.name }))
  issues.push(...complaintsOfRenaming(named, isName))
  for (const [contract, service] of owners) commandsMustBeDecided(fitting, contract, service)
  if (issues.length > 0)
    throw new Fault('START_REFUSED', { detail: complaintsText(issues), complaints: issues })
}

function ownersOf(
  services: readonly Service[],
  elsewhere: readonly AnyContract[],
  complain: Fitting['complain'],
): ReadonlyMap<AnyContract, Service> {
  const owners = new Map<AnyContract, Service>()
  const byName = new Map<string, AnyContract>()
  for (const contract of elsewhere) byName.set(factsOf(contract).name, contract)
  for (const service of services)
    for (const contract of service.owns) {
      if (!isContract(contract)) {
        complain(service.name, 'owns a value that is not a contract: create it with contract()')
        continue
      }
      const { name } = factsOf(contract)
      const first = owners.get(contract)
      if (first)
        complain(
          service.name,
          `contract ${name} is owned by ${first.name} already: a contract has one owner, ` +
            `so remove it from the owns of one of them`,
        )
      else if (byName.has(name))
        complain(service.name, `another contract is named ${name}: rename one of them`)
      else owners.set(contract, service)
      byName.set(name, contract)
    }
  return owners
}

function namesMustDiffer({ services, complain }: Fitting): void {
  const seen = new Set<string>()
  for (const { name, runs } of services) {
    if (!isName(name)) complain(name, 'a service name must be lower-case words joined by hyphens')
    if (name === 'throughline') complain(name, 'this name is reserved: rename the service')
    if (seen.has(name)) complain(name, 'two services have this name: rename one')
    seen.add(name)
    const rules = new Set<string>(['operations', 'timers', 'holds', 'held', 'control', 'snapshots'])
    for (const rule of runs) {
      if (!isName(rule.name))
        complain(`${name}/${rule.name}`, 'a rule name must be lower-case words joined by hyphens')
      if (rules.has(rule.name))
        complain(
          `${name}/${rule.name}`,
          'this name is reserved or used twice in the service: rename the rule',
        )
      rules.add(rule.name)
    }
  }
}

function mustFitRule(fitting: Fitting, service: Service, rule: Runnable): void {
  const path = `${service.name}/${rule.name}`
  const { complain } = fitting
  for (const each of [...complaintsOfOptions(path, rule), ...complaintsOfStarts(path, rule)])
    complain(each.path, each.message)
  if (!mustBeOfMessages(fitting, path, rule)) return
  if (rule.is === 'entity' || rule.is === 'query') {
    if (!isContract(rule.of))
      return complain(path, 'its option of is not a contract: create it with contract()')
    const facts = factsOf(rule.of)
    if (fitting.owners.get(rule.of) !== service)
      complain(
        path,
        `is a rule of contract ${facts.name}: add the contract to the owns of ${service.name}`,
      )
  }
  if (rule.is === 'entity' || rule.is === 'saga')
    for (const { path: where, message } of complaintsOfShape(rule.initial))
      complain(path, `its initial state cannot be stored: ${where} ${message}`)
  if (rule.is === 'entity' || rule.is === 'projection')
    if (!Number.isSafeInteger(rule.version) || rule.version < 1)
      complain(path, 'its version must be a whole number of at least 1')
  if (rule.is === 'entity') {
    mustDiffer(fitting, path, rule.decide)
    mustDiffer(fitting, path, rule.evolve)
    return mustFitEntity(fitting, path, rule)
  }
  mustDiffer(fitting, path, rule.rules)
  if (rule.is === 'query') return mustFitQuery(fitting, service, path, rule)
  for (const each of rule.rules) mustBeKnown(fitting, path, 'has a rule for', each.on)
  for (const { on, hears } of rule.rules)
    if (hears === 'message' && (on.kind === 'command' || on.kind === 'query'))
      complain(
        path,
        `has a rule for the ${on.kind} ${on.wire}, which only its owner handles: use an event`,
      )
    else if (hears !== 'message' && !(rule.is === 'saga' && rule.sends.some((each) => each === on)))
      complain(path, `waits for an answer to ${on.wire}, which it does not send: add it to sends`)
  if (rule.is === 'handler') mustFitHandler(complain, path, rule)
  if (rule.is === 'saga' || rule.is === 'handler') {
    for (const type of rule.sends) mustBeKnown(fitting, path, 'sends', type)
    for (const type of rule.emits) mustBeKnown(fitting, path, 'emits', type)
    for (const type of rule.emits)
      if (!service.owns.some((each) => isContract(each) && factsOf(each).name === type.contract))
        complain(
          path,
          `emits ${type.wire}, which ${service.name} does not own: let the owner emit it`,
        )
  }
  if (rule.is === 'handler') mustHaveTools(fitting, path, rule)
}

/** The options of rules that are lists of message types, with the kind that each may contain. */
const LISTS = { sends: 'command', emits: 'event', hears: 'event' } as const

/** In JavaScript a list may contain any value, such as `undefined` for a misspelt message name. */
function mustBeOfMessages({ complain }: Fitting, path: string, rule: Runnable): boolean {
  let isValid = true
  const refuse = (message: string): void => {
    isValid = false
    complain(path, message)
  }
  const lists = rule as unknown as Readonly<Record<string, readonly MessageType[] | undefined>>
  for (const [list, kind] of Object.entries(LISTS))
    for (const type of lists[list] ?? [])
      if (type?.kind !== kind)
        refuse(`its ${list} contains ${nameOf(type)}, which is not of kind ${kind}: remove it`)
  const rules = rule.is === 'entity' ? [...rule.decide, ...rule.evolve] : rule.rules
  for (const { on } of rules as readonly { readonly on?: MessageType }[])
    if (!on?.kind)
      refuse(`has a rule for ${nameOf(on)}, which is not a message type: is its name misspelt?`)
  return isValid
}

const nameOf = (type: Partial<MessageType> | undefined): string => type?.wire ?? typeof type

/** A query handler answers queries of its own contract from rows and states of its own service. */
function mustFitQuery({ complain }: Fitting, service: Service, path: string, query: Query): void {
  const { byName, name } = factsOf(query.of)
  for (const { on } of query.rules)
    if (byName.get(on.name) !== on || on.kind !== 'query')
      complain(path, `answers ${on.wire}, which is not a query of ${name}: remove that rule`)
  if (!Array.isArray(query.reads))
    return complain(path, 'has no reads: list the projections and entities that it reads')
  for (const readable of query.reads) {
    if (service.runs.includes(readable)) continue
    const what = `${readable?.is ?? typeof readable} ${readable?.name ?? ''}`.trim()
    complain(
      path,
      `reads ${what}, which ${service.name} does not run: a service reads only its own rows, so fold ` +
        `the same events into a projection of ${service.name}`,
    )
  }
}

function mustHaveTools({ tools, complain }: Fitting, path: string, rule: Handler): void {
  const { uses, thread } = rule
  const names = Object.keys(uses)
  if (thread === undefined) {
    for (const tool of names)
      if (!Object.hasOwn(tools, tool))
        complain(path, `needs the tool ${tool}: pass it to start in tools: { ${tool} }`)
    return
  }
  if (!URL.canParse(thread) || new URL(thread).protocol !== 'file:')
    complain(path, `its thread must be the module that exports it: thread: import.meta.url`)
  if (names.length > 0)
    complain(
      path,
      `runs in a thread, and tools cannot be passed to threads: create ${names.join(', ')} in its ` +
        `module, and remove uses`,
    )
}

function mustFitHandler(complain: Fitting['complain'], path: string, rule: Handler): void {
  for (const [name, { min, max }] of Object.entries({
    concurrency: HANDLER_CONCURRENCY,
    delayMs: HANDLER_DELAY_MS,
  })) {
    const value = rule[name as 'concurrency' | 'delayMs']
    if (!Number.isInteger(value) || value < min || value > max)
      complain(path, `its ${name} must be a whole number from ${min} to ${max}`)
  }
  if (rule.order !== 'key' && rule.order !== 'none')
    complain(path, 'its consume must be "stream" or "queue"')
}

/** A list has at most one rule per message: two would both run, and the message would be counted twice. */
function mustDiffer({ complain }: Fitting, path: string, rules: readonly Rule[]): void {
  for (const [at, { on, hears }] of rules.entries())
    if (rules.findIndex((other) => other.on === on && other.hears === hears) < at)
      complain(path, `has two rules for ${on.wire}: merge them`)
}

function mustBeKnown(
  { owners, elsewhere, complain }: Fitting,
  path: string,
  does: string,
  type: MessageType,
): void {
  const contract = [...owners.keys(), ...elsewhere].find(
    (each) => factsOf(each).name === type.contract,
  )
  const wire = `${type.contract}.${type.name}`
  if (!contract)
    complain(
      path,
      `${does} ${wire}, but no service here owns ${type.contract}: start its owner, too, ` +
        `or list the contract in remote`,
    )
  else if (factsOf(contract).byName.get(type.name) !== type)
    complain(path, `${does} ${wire}, which contract ${type.contract} does not have`)
}

function mustFitEntity(fitting: Fitting, path: string, entity: Entity): void {
  const facts = factsOf(entity.of)
  const belongs = (rule: Rule, kind: string): void => {
    if (rule.on.contract !== facts.name || facts.byName.get(rule.on.name) !== rule.on)
      fitting.complain(
        path,
        `has a rule for ${rule.on.contract}.${rule.on.name}, which contract ${facts.name} does not have`,
      )
    else if (rule.on.kind !== kind)
      fitting.complain(
        path,
        `${rule.on.name} is not of kind ${kind}: move its rule to the other list`,
      )
  }
  const { keeping } = facts
  if (entity.evolve.length > 0 && (keeping.retention?.events || keeping.compaction))
    fitting.complain(
      path,
      `folds the events of ${facts.name}, which its retention or compaction deletes: remove ` +
        `retention.events and compaction from the contract`,
    )
  for (const rule of entity.decide) belongs(rule, 'command')
  for (const rule of entity.evolve) belongs(rule, 'event')
  for (const type of [...(entity.emits ?? []), ...entity.hears])
    if (facts.byName.get(type.name) !== type)
      fitting.complain(
        path,
        `lists ${type.wire} in emits or receives, which contract ${facts.name} does not have: an entity ` +
          `emits and receives events of its own contract`,
      )
  if (!entity.emits) return
  for (const { on } of entity.evolve)
    if (![...entity.emits, ...entity.hears].some(({ name }) => name === on.name))
      fitting.complain(
        path,
        `has an evolve rule for ${on.name}, which it does not emit: add it to emits, or to receives ` +
          `if another entity emits it`,
      )
}

/** Exactly one entity decides each command; some entity evolves by each event that may be emitted. */
function commandsMustBeDecided(fitting: Fitting, contract: AnyContract, service: Service): void {
  const { byName, name } = factsOf(contract)
  const entities = service.runs.filter(
    (rule): rule is Entity => rule.is === 'entity' && rule.of === contract,
  )
  for (const type of new Set(byName.values())) {
    const path = `${name}.${type.name}`
    if (type.kind === 'command') {
      const deciders = entities.filter(({ decide }) => decide.some(({ on }) => on === type))
      if (deciders.length === 0)
        fitting.complain(
          path,
          `no entity decides this command: add a decide rule for it to an entity of ${service.name}`,
        )
      if (deciders.length > 1)
        fitting.complain(
          path,
          `is decided by ${deciders.map((each) => each.name).join(' and ')}: keep one of the rules`,
        )
    }
    if (type.kind === 'event') eventMustEvolve(fitting, path, type, entities)
  }
}

function eventMustEvolve(
  { complain }: Fitting,
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
    complain(
      path,
      `may be emitted by ${emitters.map(({ name }) => name).join(' and ')}, but no entity has an ` +
        `evolve rule for it: add one, or remove the event from emits`,
    )
  if (emitters.length === 0 && evolvers.some(({ emits }) => !emits))
    complain(
      path,
      `has an evolve rule in ${evolvers.map(({ name }) => name).join(' and ')}, but no entity may emit ` +
        `it: add it to the emits of one, or remove the evolve rule`,
    )
}
