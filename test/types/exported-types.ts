// Finds types that the signatures of a package use and its entry points do not export, in emitted
// declarations.
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseSync } from 'vite'

interface Node {
  readonly type: string
  readonly [member: string]: unknown
}

/** A declaration: its file, and its name there. */
interface Declared {
  readonly path: string
  readonly name: string
}

interface Module {
  readonly declarations: Map<string, Node[]>
  /** By local name. Undefined for imports from another package. */
  readonly imports: Map<string, Declared | undefined>
  /** By exported name. */
  readonly exports: Map<string, Declared | undefined>
}

export interface Unexported {
  readonly name: string
  readonly path: string
  /** The declaration that uses it. */
  readonly usedBy: string
}

/** A file of declarations by its path. */
export type ReadText = (path: string) => string

/** `a/b.ts`, as it is imported, is emitted as `a/b.d.ts`. */
const emitted = (from: string, source: string): string =>
  resolve(dirname(from), source).replace(/\.(?:d\.)?[jt]s$/, '.d.ts')

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value

/** A member under a symbol that cannot be imported. */
const isHidden = (node: Node): boolean =>
  node.type === 'TSPropertySignature' && node['computed'] === true

function* nodesIn(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const each of value) yield* nodesIn(each)
  else if (isNode(value) && !isHidden(value)) {
    yield value
    for (const [member, child] of Object.entries(value))
      if (member !== 'type' && typeof child === 'object') yield* nodesIn(child)
  }
}

const nameOf = (node: unknown): string => {
  if (!isNode(node)) return ''
  if (node.type === 'TSQualifiedName') return nameOf(node['left'])
  return String(node['name'] ?? node['value'])
}

function moduleOf(path: string, text: string): Module {
  const { program } = parseSync(path, text, { lang: 'dts' })
  const module: Module = { declarations: new Map(), imports: new Map(), exports: new Map() }
  const declare = (node: Node): readonly string[] => {
    const named = node.type === 'VariableDeclaration' ? (node['declarations'] as Node[]) : [node]
    return named.map((each) => {
      const name = nameOf(each['id'])
      module.declarations.set(name, [...(module.declarations.get(name) ?? []), each])
      return name
    })
  }
  const sourceOf = (node: Node): string | undefined => {
    const source = (node['source'] as { value: string } | null)?.value
    return source?.startsWith('.') ? emitted(path, source) : undefined
  }
  for (const node of program.body as unknown as readonly Node[]) {
    const from = sourceOf(node)
    if (node.type === 'ImportDeclaration')
      for (const each of node['specifiers'] as readonly Node[])
        module.imports.set(
          nameOf(each['local']),
          from === undefined ? undefined : { path: from, name: nameOf(each['imported']) },
        )
    else if (node.type === 'ExportNamedDeclaration') {
      if (isNode(node['declaration']))
        for (const name of declare(node['declaration'])) module.exports.set(name, { path, name })
      for (const each of node['specifiers'] as readonly Node[]) {
        const name = nameOf(each['local'])
        const isOwn = node['source'] === null
        const origin = isOwn
          ? { path, name }
          : from === undefined
            ? undefined
            : { path: from, name }
        module.exports.set(nameOf(each['exported']), origin)
      }
    } else if (isNode(node['id']) || node.type === 'VariableDeclaration') declare(node)
    else if (node.type !== 'ExportAllDeclaration' && node.type !== 'TSModuleDeclaration') continue
    else throw new Error(`${path}: ${node.type} is not known here`)
  }
  return module
}

/** The names that a declaration refers to, and its inline imports. */
function* referencesIn(declaration: Node, path: string): Generator<string | Declared> {
  const own = new Set<string>()
  for (const node of nodesIn(declaration))
    if (node.type === 'TSTypeParameter') own.add(nameOf(node['name']))
  for (const node of nodesIn(declaration)) {
    const source = node.type === 'TSImportType' && (node['source'] as { value: string }).value
    if (source && source.startsWith('.'))
      yield { path: emitted(path, source), name: nameOf(node['qualifier']) }
    const used =
      node.type === 'TSTypeReference'
        ? node['typeName']
        : node.type === 'TSTypeQuery'
          ? node['exprName']
          : /^(?:TSInterfaceHeritage|TSClassImplements)$/.test(node.type)
            ? node['expression']
            : undefined
    const name = nameOf(used)
    if (name && !own.has(name)) yield name
  }
}

/** A type alias with parameters computes a type: the compiler emits the result. */
function isComputation(declarations: readonly Node[]): boolean {
  return declarations.some(
    ({ type, typeParameters }) => type === 'TSTypeAliasDeclaration' && isNode(typeParameters),
  )
}

/** Declarations that users need no name for where only a computation refers to them. */
function isInlined(declarations: readonly Node[]): boolean {
  return declarations.every(({ type }) =>
    /^(?:TSTypeAliasDeclaration|VariableDeclarator)$/.test(type),
  )
}

/**
 * Types of the package that are reachable from exports of the entry points and that no entry point
 * exports, each once. Computations need no export, and neither do aliases that only they use.
 */
export function unexportedTypes(
  entries: readonly string[],
  read: ReadText = (path) => readFileSync(path, 'utf8'),
): readonly Unexported[] {
  const modules = new Map<string, Module>()
  const at = (path: string): Module => {
    const module = modules.get(path) ?? moduleOf(path, read(path))
    modules.set(path, module)
    return module
  }
  /** The declaration of a name; undefined for globals and for other packages. */
  const declaredAs = ({ path, name }: Declared, isExport: boolean): Declared | undefined => {
    const { declarations, imports, exports } = at(path)
    if (isExport) {
      const exported = exports.get(name)
      if (!exported) return undefined
      return declaredAs(exported, exported.path !== path)
    }
    if (declarations.has(name)) return { path, name }
    const imported = imports.get(name)
    return imported && declaredAs(imported, true)
  }
  const keyOf = ({ path, name }: Declared): string => `${path}#${name}`
  const declarationsOf = ({ path, name }: Declared): readonly Node[] =>
    at(path).declarations.get(name) ?? []
  const known = new Set<string>()
  const inlined = new Set<string>()
  const open: (Declared & { readonly isInside: boolean })[] = []
  for (const path of entries)
    for (const name of at(path).exports.keys()) {
      const declared = declaredAs({ path, name }, true)
      if (!declared || known.has(keyOf(declared))) continue
      known.add(keyOf(declared))
      open.push({ ...declared, isInside: false })
    }
  const found: Unexported[] = []
  for (const { path, name, isInside } of open) {
    const declarations = declarationsOf({ path, name })
    const isHere = isInside || isComputation(declarations)
    for (const reference of declarations.flatMap((each) => [...referencesIn(each, path)])) {
      const isName = typeof reference === 'string'
      const used = declaredAs(isName ? { path, name: reference } : reference, !isName)
      if (!used || known.has(keyOf(used))) continue
      const itsOwn = declarationsOf(used)
      // Not marked as known, since another use of it may need an export.
      const needsNone = isComputation(itsOwn) || (isHere && isInlined(itsOwn))
      const reached = needsNone ? inlined : known
      if (reached.has(keyOf(used))) continue
      reached.add(keyOf(used))
      open.push({ ...used, isInside: needsNone })
      if (!needsNone) found.push({ ...used, usedBy: name })
    }
  }
  return found
}
