import type { Issue } from '../base/errors/fault.ts'
import { contractOfType, definitionOf, isContract } from '../contract/contract.ts'
import type { CommandType, EventType } from '../contract/message.ts'
import type { Edge, ReceiveRule } from '../edges/edge.ts'
import type { Transport } from '../edges/transport.ts'
import type { Runnable, Service } from '../rules/service.ts'

/**
 * Issues of the edges of a service: values that are no edges, transports that are missing, and messages
 * that the service cannot take from outside.
 */
export function edgeIssues(
  service: Service,
  tools: Readonly<Record<string, unknown>>,
): readonly Issue[] {
  const { edges = [] } = service
  if (!Array.isArray(edges)) return [{ path: service.name, message: 'its edges must be a list' }]
  return edges.flatMap((edge: Edge | undefined): readonly Issue[] => {
    const path = `${service.name}/${edge?.name}`
    if (edge?.kind !== 'edge')
      return [{ path: service.name, message: 'its edges contain a value that edge() has not made' }]
    const received = edge.receives.flatMap((rule) => {
      const message = invalidReceiveReason(service, rule)
      return message === undefined ? [] : [{ path, message }]
    })
    return [...transportIssues(path, edge, tools), ...received]
  })
}

const METHODS = [
  'open',
  'close',
  'publish',
  'receive',
] as const satisfies readonly (keyof Transport)[]

function transportIssues(
  path: string,
  { transport: name, runs }: Edge,
  tools: Readonly<Record<string, unknown>>,
): readonly Issue[] {
  const transport = Object.hasOwn(tools, name) ? (tools[name] as Partial<Transport>) : undefined
  // The handler that publishes asks for its tool itself.
  if (transport === undefined && runs.length > 0) return []
  if (transport === undefined)
    return [{ path, message: `needs the tool ${name}: pass it to start in tools: { ${name} }` }]
  const missing = METHODS.find((method) => typeof transport?.[method] !== 'function')
  if (missing === undefined) return []
  return [{ path, message: `its tool ${name} is no transport: it has no method ${missing}` }]
}

function invalidReceiveReason(
  service: Service,
  { topic, becomes }: ReceiveRule,
): string | undefined {
  const { kind, wire } = (becomes ?? {}) as Partial<CommandType | EventType>
  if (kind !== 'command' && kind !== 'event')
    return `receives ${topic} as ${wire ?? typeof becomes}, which is no command or event`
  const owned = service.owns.filter(isContract).map(definitionOf)
  if (!owned.includes(contractOfType(becomes) as never))
    return (
      `receives ${topic} as ${wire}, which ${service.name} does not own: receive it as a message of ` +
      `its own contract`
    )
  const publisher = kind === 'event' && service.runs.find((rule) => publishes(rule, becomes))
  if (!publisher) return undefined
  return `receives ${topic} as ${wire}, which ${publisher.kind} ${publisher.name} publishes: use a command`
}

/** Whether a rule may publish an event. Then it is the one writer of it, and no edge may be another. */
function publishes(rule: Runnable, type: CommandType | EventType): boolean {
  if (rule.kind === 'saga' || rule.kind === 'handler') return rule.emits.includes(type as never)
  if (rule.kind !== 'entity' || rule.decide.length === 0 || !isContract(rule.of)) return false
  if (definitionOf(rule.of) !== contractOfType(type)) return false
  return rule.emits?.includes(type as never) ?? true
}
