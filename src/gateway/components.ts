import { isSchema, NAMED } from '../contract/json-schema.ts'
import type { JsonSchema } from './schema.ts'
import { decoded, memberOf, resolverOf, schemaFrom } from './schema.ts'

/** The `components/schemas` of an OpenAPI document: each schema once, referred to by `$ref`. */
export interface Components {
  /**
   * Returns `part` of `root` with its references pointing into the document. All definitions that it
   * refers to are stored as components, once even if other schemas refer to the same definition.
   * `name` is the component name of `root` itself.
   */
  refer(root: JsonSchema, name: string, part: JsonSchema): JsonSchema
  /** All components by name. */
  all(): Readonly<Record<string, JsonSchema>>
}

/** A schema of one root that other schemas of it can refer to. */
interface Definition {
  readonly name: string
  readonly schema: JsonSchema
  /** The pointers of the definitions that it refers to. */
  readonly refs: readonly string[]
  readonly text: string
}

interface Kept {
  readonly component: string
  /** The component that each of its references points to, by pointer. */
  readonly targets: ReadonlyMap<string, string>
}

const PREFIX = '#/components/schemas/'

export function componentsWith(own: Readonly<Record<string, JsonSchema>>): Components {
  const schemas = new Map(Object.entries(own))
  const known = new Map<string, Kept[]>()

  /** A component name that is not taken, in the characters that OpenAPI allows. */
  function fresh(name: string): string {
    const base = name.replaceAll(/[^A-Za-z0-9.-]+/g, '_').replaceAll(/^_+|_+$/g, '') || 'Schema'
    let component = base
    for (let count = 2; schemas.has(component); count += 1) component = `${base}.${count}`
    schemas.set(component, {})
    return component
  }

  /** Stores the definitions that are new. Returns the component name of each, by pointer. */
  function keep(
    definitions: Parts['definitions'],
    locate: Parts['locate'],
  ): ReadonlyMap<string, string> {
    const same = sameAs(definitions, known)
    const names = new Map(
      [...definitions].map(([pointer, { name }]) => {
        return [pointer, same.get(pointer)?.[0]?.component ?? fresh(name)] as const
      }),
    )
    for (const [pointer, { schema, refs, text }] of definitions) {
      if (same.get(pointer)?.length) continue
      const component = names.get(pointer) ?? ''
      schemas.set(component, rewritten(schema, locate, names))
      const targets = new Map(refs.map((ref) => [ref, names.get(ref) ?? '']))
      known.set(text, [...(known.get(text) ?? []), { component, targets }])
    }
    return names
  }

  return {
    refer(root, name, part) {
      const parts = partsOf(root, name)
      return rewritten(part, parts.locate, keep(reachable(part, parts), parts.locate))
    },
    all: () => Object.fromEntries(schemas),
  }
}

/** The stored components with the same schema and the same references as each definition. */
function sameAs(
  definitions: Parts['definitions'],
  known: ReadonlyMap<string, readonly Kept[]>,
): ReadonlyMap<string, readonly Kept[]> {
  const same = new Map([...definitions].map(([at, { text }]) => [at, known.get(text) ?? []]))
  const isOne = ({ targets }: Kept, ref: string): boolean =>
    same.get(ref)?.some(({ component }) => component === targets.get(ref)) ?? false
  // Definitions may be recursive: start with all equal texts and remove mismatches until none is left.
  for (let isSettled = false; !isSettled;) {
    isSettled = true
    for (const [pointer, { refs }] of definitions) {
      const before = same.get(pointer) ?? []
      const after = before.filter((kept) => refs.every((ref) => isOne(kept, ref)))
      if (after.length < before.length) isSettled = false
      same.set(pointer, after)
    }
  }
  return same
}

/** A root schema, split into its definitions. */
interface Parts {
  /** The root itself under `#`, and its `$defs`, by pointer. */
  readonly definitions: ReadonlyMap<string, Definition>
  /** The definition that a reference points into, and the rest of the pointer; none if it dangles. */
  locate(ref: string): { readonly base: string; readonly rest: string } | undefined
}

function partsOf(root: JsonSchema, name: string): Parts {
  const { $defs: _, definitions: __, ...rest } = root
  const named = new Map([['#', { name, schema: rest as JsonSchema }]])
  for (const keyword of ['$defs', 'definitions'])
    for (const [id, schema] of Object.entries(memberOf(root, keyword) ?? {})) {
      const escaped = id.replaceAll('~', '~0').replaceAll('/', '~1')
      named.set(`#/${keyword}/${escaped}`, { name: id, schema: schemaFrom(schema) })
    }
  const resolve = resolverOf(root)
  const locate: Parts['locate'] = (ref) => {
    if (resolve(ref) === undefined) return undefined
    for (const text of [ref, decoded(ref)])
      for (let end = text.length; end > 1; end = text.lastIndexOf('/', end - 1))
        if (named.has(text.slice(0, end)))
          return { base: text.slice(0, end), rest: text.slice(end) }
    return { base: '#', rest: decoded(ref).slice(1) }
  }
  const definitions = new Map(
    [...named].map(([pointer, { name: id, schema }]) => {
      const text = `${id}\n${JSON.stringify(schema)}`
      return [pointer, { name: id, schema, refs: basesIn(schema, locate), text }]
    }),
  )
  return { definitions, locate }
}

/** The definitions that a schema refers to. */
function basesIn(schema: JsonSchema, locate: Parts['locate']): readonly string[] {
  const bases = new Set<string>()
  mapped(schema, (ref) => {
    const found = locate(ref)
    if (found) bases.add(found.base)
    return undefined
  })
  return [...bases]
}

/** The definitions that a part refers to, directly or through others. */
function reachable(part: JsonSchema, { definitions, locate }: Parts): Parts['definitions'] {
  const found = new Map<string, Definition>()
  const open = [...basesIn(part, locate)]
  for (let pointer = open.pop(); pointer !== undefined; pointer = open.pop()) {
    const definition = definitions.get(pointer)
    if (!definition || found.has(pointer)) continue
    found.set(pointer, definition)
    open.push(...definition.refs)
  }
  return found
}

/** The schema with every `$ref` pointing to a component. A dangling `$ref` is dropped. */
function rewritten(
  schema: JsonSchema,
  locate: Parts['locate'],
  names: ReadonlyMap<string, string>,
): JsonSchema {
  return mapped(schema, (ref) => {
    const found = locate(ref)
    return found && `${PREFIX}${names.get(found.base)}${found.rest}`
  })
}

/** Keywords whose value is data, even if it looks like a schema. */
const DATA = new Set(['const', 'default', 'enum', 'example', 'examples'])
/** Keywords that would change the base of the `$ref`s inside. */
const LEFT_OUT = new Set(['$id', '$schema'])

/** The schema with each `$ref` replaced, or dropped if there is no replacement. */
function mapped(schema: JsonSchema, target: (ref: string) => string | undefined): JsonSchema {
  const inside = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inside)
    return isSchema(value) ? mapped(value, target) : value
  }
  const entries = Object.entries(schema).flatMap(([name, value]): [string, unknown][] => {
    if (LEFT_OUT.has(name)) return []
    if (DATA.has(name)) return [[name, value]]
    if (name === '$ref' && typeof value === 'string') {
      const ref = target(value)
      return ref === undefined ? [] : [[name, ref]]
    }
    if (!NAMED.has(name) || !isSchema(value)) return [[name, inside(value)]]
    return [
      [name, Object.fromEntries(Object.entries(value).map(([key, each]) => [key, inside(each)]))],
    ]
  })
  return Object.fromEntries(entries)
}
