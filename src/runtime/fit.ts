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

/** What is known while the services are held against one another. */
interface Fitting {
  readonly services: readonly Service[]
  /** The service here that owns a contract. */
  readonly owners: ReadonlyMap<AnyContract, Service>
  readonly elsewhere: readonly AnyContract[]
  readonly tools: Readonly<Record<string, unknown>>
  readonly complain: (path: string, message: string) => void
}

/**
 * Holds the services against one another before anything starts. Every complaint names what is
 * wrong and how to cure it.
 *
 * @throws Fault `START_REFUSED`, with all complaints; `TWO_COPIES`
 */
export function mustFit(
  services: readonly Service[],
  elsewhere: readonly AnyContract[],
  tools: Readonly<Record<string, unknown>>,
): void {
  const others = elsewhere.map((contract, at) => [`elsewhere[${at}]`, contract] as const)
  mustBeOneCopy([...partsOfServices(services), ...others])
  const complaints: Complaint[] = []
  const complain = (path: string, message: string): void => void complaints.push({ path, message })
  const owners = ownersOf(services, elsewhere, complain)
  const fitting: Fitting = { services, owners, elsewhere, tools, complain }
  if (services.length === 0) complain('services', 'there is none: hand start at least one')
  namesMustDiffer(fitting)
  for (const service of services) {
    for (const rule of service.runs) mustFitRule(fitting, service, rule)
    complaints.push(...complaintsOfOptions(service.name, service))
    const rules = service.runs.map((rule) => ({ ...rule, path: `${service.name}/${rule.name}` }))
    complaints.push(...complaintsOfRenaming(rules, isName))
  }
  const named = services.map((service) => ({ ...service, path: service.name }))
  complaints.push(...complaintsOfRenaming(named, isName))
  for (const [contract, service] of owners) commandsMustBeDecided(fitting, contract, service)
  if (complaints.length > 0)
    throw new Fault('START_REFUSED', { detail: complaintsText(complaints), complaints })
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
        complain(service.name, 'owns something that is no contract: make it with contract()')
        continue
      }
      const { name } = factsOf(contract)
      const first = owners.get(contract)
      if (first)
        complain(
          service.name,
          `contract ${name} is owned by ${first.name} already: one service owns a contract, ` +
            `so take it out of the owns of one of them`,
        )
      else if (byName.has(name))
        complain(service.name, `another contract is called ${name}: give one of them a new name`)
      else owners.set(contract, service)
      byName.set(name, contract)
    }
  return owners
}

function namesMustDiffer({ services, complain }: Fitting): void {
  const seen = new Set<string>()
  for (const { name, runs } of services) {
    if (!isName(name)) complain(name, 'a service name is lower-case words joined by hyphens')
    if (name === 'throughline') complain(name, 'this name is taken: rename the service')
    if (seen.has(name)) complain(name, 'two services have this name: rename one')
    seen.add(name)
    const rules = new Set<string>(['operations', 'timers', 'holds', 'held', 'control', 'snapshots'])
    for (const rule of runs) {
      if (!isName(rule.name))
        complain(`${name}/${rule.name}`, 'a rule name is lower-case words joined by hyphens')
      if (rules.has(rule.name))
        complain(`${name}/${rule.name}`, 'this name is taken in the service: rename the rule')
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
    if (!isContract(rule.of)) return complain(path, 'is of no contract: make it with contract()')
    const facts = factsOf(rule.of)
    if (fitting.owners.get(rule.of) !== service)
      complain(path, `is a rule of contract ${facts.name}: add it to the owns of ${service.name}`)
  }
  if (rule.is === 'entity' || rule.is === 'saga')
    for (const { path: where, message } of complaintsOfShape(rule.initial))
      complain(path, `its initial state cannot be kept: ${where} ${message}`)
  if (rule.is === 'entity' || rule.is === 'projection')
    if (!Number.isSafeInteger(rule.version) || rule.version < 1)
      complain(path, 'its version must be a whole number from 1 on')
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
      complain(path, `hears the ${on.kind} ${on.wire}, which is for its owner: hear an event`)
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
          `emits ${type.wire}, which ${service.name} does not own: let its owner do so`,
        )
  }
  if (rule.is === 'handler') mustHaveTools(fitting, path, rule)
}

/** The lists of messages that rules have, and what may be in them. */
const LISTS = { sends: 'command', emits: 'event', hears: 'event' } as const

/** Without the help of types a list may hold anything, such as a message whose name is misspelt. */
function mustBeOfMessages({ complain }: Fitting, path: string, rule: Runnable): boolean {
  let isSo = true
  const refuse = (message: string): void => {
    isSo = false
    complain(path, message)
  }
  const lists = rule as unknown as Readonly<Record<string, readonly MessageType[] | undefined>>
  for (const [list, kind] of Object.entries(LISTS))
    for (const type of lists[list] ?? [])
      if (type?.kind !== kind)
        refuse(`its ${list} holds ${nameOf(type)}, which is no ${kind}: take it out`)
  const rules = rule.is === 'entity' ? [...rule.decide, ...rule.evolve] : rule.rules
  for (const { on } of rules as readonly { readonly on?: MessageType }[])
    if (!on?.kind)
      refuse(`has a rule for ${nameOf(on)}, which is no message: is its name misspelt?`)
  return isSo
}

const nameOf = (type: Partial<MessageType> | undefined): string => type?.wire ?? typeof type

/** A query answers for its contract alone, from rows and states that its service keeps. */
function mustFitQuery({ complain }: Fitting, service: Service, path: string, query: Query): void {
  const { byName, name } = factsOf(query.of)
  for (const { on } of query.rules)
    if (byName.get(on.name) !== on || on.kind !== 'query')
      complain(path, `answers ${on.wire}, which is no query of ${name}: leave that rule out`)
  if (!Array.isArray(query.reads))
    return complain(path, 'has no reads: list the projections and entities that it reads')
  for (const readable of query.reads) {
    if (service.runs.includes(readable)) continue
    const what = `${readable?.is ?? typeof readable} ${readable?.name ?? ''}`.trim()
    complain(
      path,
      `reads ${what}, which ${service.name} does not run: rows belong to their service, so fold the ` +
        `same events into a projection of ${service.name}`,
    )
  }
}

function mustHaveTools({ tools, complain }: Fitting, path: string, rule: Handler): void {
  const { uses, thread } = rule
  const names = Object.keys(uses)
  if (thread === undefined) {
    for (const tool of names)
      if (!Object.hasOwn(tools, tool))
        complain(path, `needs the tool ${tool}: hand it to start as tools: { ${tool} }`)
    return
  }
  if (!URL.canParse(thread) || new URL(thread).protocol !== 'file:')
    complain(path, `its thread must be the module that exports it: thread: import.meta.url`)
  if (names.length > 0)
    complain(
      path,
      `runs in a thread, and no tool can cross over: let its module make ${names.join(', ')}, and ` +
        `leave out uses`,
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
    complain(path, 'its order must be "key" or "none"')
}

/** A message has one rule in a list: two would both run, and be counted twice. */
function mustDiffer({ complain }: Fitting, path: string, rules: readonly Rule[]): void {
  for (const [at, { on, hears }] of rules.entries())
    if (rules.findIndex((other) => other.on === on && other.hears === hears) < at)
      complain(path, `has two rules for ${on.wire}: make them one`)
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
      `${does} ${wire}, but no service here owns ${type.contract}: start its owner as ` +
        `well, or name the contract in elsewhere`,
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
        `has a rule for ${rule.on.contract}.${rule.on.name}, which contract ${facts.name} lacks`,
      )
    else if (rule.on.kind !== kind)
      fitting.complain(path, `${rule.on.name} is no ${kind}: move it to the other list of rules`)
  }
  const { keeping } = facts
  if (entity.evolve.length > 0 && (keeping.retention?.events || keeping.compaction))
    fitting.complain(
      path,
      `is made of the events of ${facts.name}, which has them taken away: leave out its ` +
        `retention of events and its compaction`,
    )
  for (const rule of entity.decide) belongs(rule, 'command')
  for (const rule of entity.evolve) belongs(rule, 'event')
  for (const type of [...(entity.emits ?? []), ...entity.hears])
    if (facts.byName.get(type.name) !== type)
      fitting.complain(
        path,
        `lists ${type.wire} in emits or hears, which contract ${facts.name} lacks: an entity decides ` +
          `and hears events of its own contract`,
      )
  if (!entity.emits) return
  for (const { on } of entity.evolve)
    if (![...entity.emits, ...entity.hears].some(({ name }) => name === on.name))
      fitting.complain(
        path,
        `evolves by ${on.name}, which it does not decide: add it to emits, or to hears if ` +
          `another entity decides it`,
      )
}

/** Each command has one decision; each event that may be decided changes some entity. */
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
          `nobody decides this command: give an entity of ${service.name} a decide rule for it`,
        )
      if (deciders.length > 1)
        fitting.complain(
          path,
          `is decided by ${deciders.map((each) => each.name).join(' and ')}: keep one of them`,
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
      `may be decided by ${emitters.map(({ name }) => name).join(' and ')}, but no entity evolves ` +
        `by it: add an evolve rule, or leave it out of the entity's emits`,
    )
  if (emitters.length === 0 && evolvers.some(({ emits }) => !emits))
    complain(
      path,
      `is evolved by ${evolvers.map(({ name }) => name).join(' and ')}, but no entity may decide it: ` +
        `add it to the emits of the entity that does, or leave the evolve rule out`,
    )
}
