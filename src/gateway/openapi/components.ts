import { isSchema, SCHEMAS_BY_NAME } from '../../contract/schema/json-schema.ts'
import type { JsonSchema } from '../routing/schema.ts'
import { decodeRef, subschemaAt, resolverOf, schemaFrom } from '../routing/schema.ts'

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

interface StoredComponent {
  readonly component: string
  /** The component that each of its references points to, by pointer. */
  readonly targets: ReadonlyMap<string, string>
}

const PREFIX = '#/components/schemas/'

export function createComponents(own: Readonly<Record<string, JsonSchema>>): Components {
  const schemas = new Map(Object.entries(own))
  const known = new Map<string, StoredComponent[]>()

  /** A component name that is not taken, in the characters that OpenAPI allows. */
  function uniqueName(name: string): string {
    const base = name.replaceAll(/[^A-Za-z0-9.-]+/g, '_').replaceAll(/^_+|_+$/g, '') || 'Schema'
    let component = base
    for (let count = 2; schemas.has(component); count += 1) component = `${base}.${count}`
    schemas.set(component, {})
    return component
  }

  /** Stores the definitions that are new. Returns the component name of each, by pointer. */
  function store(
    definitions: SchemaParts['definitions'],
    locate: SchemaParts['locate'],
  ): ReadonlyMap<string, string> {
    const same = matchingComponents(definitions, known)
    const names = new Map(
      [...definitions].map(([pointer, { name }]) => {
        return [pointer, same.get(pointer)?.[0]?.component ?? uniqueName(name)] as const
      }),
    )
    for (const [pointer, { schema, refs, text }] of definitions) {
      if (same.get(pointer)?.length) continue
      const component = names.get(pointer) ?? ''
      schemas.set(component, rewriteRefs(schema, locate, names))
      const targets = new Map(refs.map((ref) => [ref, names.get(ref) ?? '']))
      known.set(text, [...(known.get(text) ?? []), { component, targets }])
    }
    return names
  }

  return {
    refer(root, name, part) {
      const parts = splitSchema(root, name)
      return rewriteRefs(part, parts.locate, store(reachableDefinitions(part, parts), parts.locate))
    },
    all: () => Object.fromEntries(schemas),
  }
}

/** The stored components with the same schema and the same references as each definition. */
function matchingComponents(
  definitions: SchemaParts['definitions'],
  known: ReadonlyMap<string, readonly StoredComponent[]>,
): ReadonlyMap<string, readonly StoredComponent[]> {
  const same = new Map([...definitions].map(([at, { text }]) => [at, known.get(text) ?? []]))
  const isSameTarget = ({ targets }: StoredComponent, ref: string): boolean =>
    same.get(ref)?.some(({ component }) => component === targets.get(ref)) ?? false
  // Definitions may be recursive: start with all equal texts and remove mismatches until none is left.
  for (let isSettled = false; !isSettled;) {
    isSettled = true
    for (const [pointer, { refs }] of definitions) {
      const before = same.get(pointer) ?? []
      const after = before.filter((kept) => refs.every((ref) => isSameTarget(kept, ref)))
      if (after.length < before.length) isSettled = false
      same.set(pointer, after)
    }
  }
  return same
}

/** A root schema, split into its definitions. */
interface SchemaParts {
  /** The root itself under `#`, and its `$defs`, by pointer. */
  readonly definitions: ReadonlyMap<string, Definition>
  /** The definition that a reference points into, and the rest of the pointer; none if it dangles. */
  locate(ref: string): { readonly base: string; readonly rest: string } | undefined
}

function splitSchema(root: JsonSchema, name: string): SchemaParts {
  const { $defs: _, definitions: __, ...rest } = root
  const named = new Map([['#', { name, schema: rest as JsonSchema }]])
  for (const keyword of ['$defs', 'definitions'])
    for (const [id, schema] of Object.entries(subschemaAt(root, keyword) ?? {})) {
      const escaped = id.replaceAll('~', '~0').replaceAll('/', '~1')
      named.set(`#/${keyword}/${escaped}`, { name: id, schema: schemaFrom(schema) })
    }
  const resolve = resolverOf(root)
  const locate: SchemaParts['locate'] = (ref) => {
    if (resolve(ref) === undefined) return undefined
    for (const text of [ref, decodeRef(ref)])
      for (let end = text.length; end > 1; end = text.lastIndexOf('/', end - 1))
        if (named.has(text.slice(0, end)))
          return { base: text.slice(0, end), rest: text.slice(end) }
    return { base: '#', rest: decodeRef(ref).slice(1) }
  }
  const definitions = new Map(
    [...named].map(([pointer, { name: id, schema }]) => {
      const text = `${id}\n${JSON.stringify(schema)}`
      return [pointer, { name: id, schema, refs: referencedDefinitions(schema, locate), text }]
    }),
  )
  return { definitions, locate }
}

/** The definitions that a schema refers to. */
function referencedDefinitions(
  schema: JsonSchema,
  locate: SchemaParts['locate'],
): readonly string[] {
  const bases = new Set<string>()
  mapRefs(schema, (ref) => {
    const found = locate(ref)
    if (found) bases.add(found.base)
    return undefined
  })
  return [...bases]
}

/** The definitions that a part refers to, directly or through others. */
function reachableDefinitions(
  part: JsonSchema,
  { definitions, locate }: SchemaParts,
): SchemaParts['definitions'] {
  const found = new Map<string, Definition>()
  const open = [...referencedDefinitions(part, locate)]
  for (let pointer = open.pop(); pointer !== undefined; pointer = open.pop()) {
    const definition = definitions.get(pointer)
    if (!definition || found.has(pointer)) continue
    found.set(pointer, definition)
    open.push(...definition.refs)
  }
  return found
}

/** The schema with every `$ref` pointing to a component. A dangling `$ref` is dropped. */
function rewriteRefs(
  schema: JsonSchema,
  locate: SchemaParts['locate'],
  names: ReadonlyMap<string, string>,
): JsonSchema {
  return mapRefs(schema, (ref) => {
    const found = locate(ref)
    return found && `${PREFIX}${names.get(found.base)}${found.rest}`
  })
}

/** Keywords whose value is data, even if it looks like a schema. */
const DATA_KEYWORDS = new Set(['const', 'default', 'enum', 'example', 'examples'])
/** Keywords that would change the base of the `$ref`s inside. */
const OMITTED_KEYWORDS = new Set(['$id', '$schema'])

/** The schema with each `$ref` replaced, or dropped if there is no replacement. */
function mapRefs(schema: JsonSchema, newRef: (ref: string) => string | undefined): JsonSchema {
  const inside = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inside)
    return isSchema(value) ? mapRefs(value, newRef) : value
  }
  const entries = Object.entries(schema).flatMap(([name, value]): [string, unknown][] => {
    if (OMITTED_KEYWORDS.has(name)) return []
    if (DATA_KEYWORDS.has(name)) return [[name, value]]
    if (name === '$ref' && typeof value === 'string') {
      const ref = newRef(value)
      return ref === undefined ? [] : [[name, ref]]
    }
    if (!SCHEMAS_BY_NAME.has(name) || !isSchema(value)) return [[name, inside(value)]]
    return [
      [name, Object.fromEntries(Object.entries(value).map(([key, each]) => [key, inside(each)]))],
    ]
  })
  return Object.fromEntries(entries)
}
