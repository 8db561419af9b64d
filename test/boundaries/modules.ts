// The table of allowed imports between modules, and a pure check of files against it.
import { exportsOf } from './exports.ts'

/** A module: the files below a folder, without those of deeper modules. */
export interface Module {
  readonly folder: string
  /** Other modules that it may import. */
  readonly imports: readonly string[]
  /** Packages and built-in modules of Node; a name that ends in `/` or `:` is a prefix. */
  readonly packages: readonly string[]
  /**
   * Its sub-modules, lowest first, each with the ones below it that it may import. Files beside them
   * may import all of them, and none of them may import those files. Other modules see one module.
   */
  readonly parts?: SubModules
  /** Whether files outside a sub-module import its index.ts and no other file; unit tests may. */
  readonly hasIndexes?: boolean
}

/** The sub-modules that each sub-module may import, by their folder names. */
export type SubModules = Readonly<Record<string, readonly string[]>>

export interface SourceFile {
  /** The path from the root of the repository, with forward slashes. */
  readonly path: string
  readonly text: string
}

const names = ['base', 'contract', 'ports', 'rules', 'engine', 'control', 'edges', 'runtime']
const lower = names.map((name) => `src/${name}`)
const below = (module: string): readonly string[] => lower.slice(0, lower.indexOf(module))

const ENGINE: SubModules = {
  rows: [],
  plan: ['rows'],
  delays: ['rows'],
  execution: ['delays', 'plan', 'rows'],
  failure: ['delays', 'execution', 'plan', 'rows'],
  context: ['delays', 'execution', 'failure', 'plan', 'rows'],
  projections: ['plan', 'rows'],
  startup: ['context', 'plan', 'rows'],
  handlers: ['context', 'execution', 'failure'],
  consumer: [
    'context',
    'delays',
    'execution',
    'failure',
    'handlers',
    'plan',
    'projections',
    'rows',
  ],
  rebuild: ['consumer', 'context', 'execution', 'failure', 'plan', 'projections', 'rows'],
  listing: ['context', 'delays', 'execution', 'failure', 'plan', 'rows'],
  operations: [
    'context',
    'delays',
    'execution',
    'failure',
    'listing',
    'plan',
    'projections',
    'rows',
  ],
  'dead-letters': ['context', 'failure', 'listing', 'plan', 'rows'],
  producer: ['context', 'execution', 'listing', 'operations', 'plan', 'projections'],
  maintenance: ['context', 'delays', 'execution', 'plan', 'rows'],
}

const EMBEDDED: SubModules = {
  sql: [],
  files: ['sql'],
  log: ['sql'],
  store: ['sql'],
  commit: ['files', 'log', 'sql'],
  archive: ['commit', 'files', 'log', 'sql'],
  connection: ['archive', 'commit', 'files', 'log', 'sql', 'store'],
  backup: ['files', 'sql'],
  repair: ['archive', 'commit', 'connection', 'files', 'log', 'sql'],
}

/** An example imports the public entry points only. */
const example = (folder: string): Module => {
  return { folder, imports: [], packages: ['throughline', 'throughline/', 'zod', 'node:'] }
}

/** All modules. A file outside of them and a module without files are violations. */
export const MODULES: readonly Module[] = [
  { folder: 'src/base', imports: [], packages: ['node:async_hooks', 'node:crypto'] },
  {
    folder: 'src/contract',
    imports: ['src/base'],
    packages: ['@standard-schema/spec'],
    parts: { data: [], schema: ['data'] },
  },
  { folder: 'src/ports', imports: ['src/base', 'src/contract'], packages: ['node:assert/strict'] },
  {
    folder: 'src/rules',
    imports: ['src/base', 'src/contract'],
    packages: ['@standard-schema/spec'],
  },
  {
    folder: 'src/edges',
    imports: ['src/base', 'src/contract', 'src/ports', 'src/rules'],
    packages: ['@standard-schema/spec'],
  },
  {
    folder: 'src/engine',
    imports: below('src/engine'),
    packages: ['node:os', 'node:worker_threads'],
    parts: ENGINE,
    hasIndexes: true,
  },
  {
    folder: 'src/control',
    imports: below('src/control'),
    packages: ['node:crypto', 'node:fs', 'node:net', 'node:os', 'node:path', 'node:readline'],
  },
  { folder: 'src/runtime', imports: below('src/runtime'), packages: [] },
  {
    folder: 'src/backends/memory',
    imports: ['src/base', 'src/contract', 'src/ports'],
    packages: [],
  },
  {
    folder: 'src/backends/embedded',
    imports: ['src/base', 'src/contract', 'src/ports'],
    packages: [
      'node:crypto',
      'node:fs',
      'node:path',
      'node:sqlite',
      'node:url',
      'node:worker_threads',
      'node:zlib',
    ],
    parts: EMBEDDED,
    hasIndexes: true,
  },
  {
    folder: 'src/testing',
    imports: [...lower, 'src/backends/memory'],
    packages: ['node:assert/strict'],
  },
  {
    folder: 'src/http',
    imports: ['src/base'],
    packages: [
      'find-my-way',
      'node:crypto',
      'node:events',
      'node:http',
      'node:net',
      'srvx',
      'srvx/node',
    ],
  },
  {
    folder: 'src/gateway',
    imports: [...lower, 'src/http'],
    packages: ['@standard-schema/spec'],
    parts: { routing: [], openapi: ['routing'], handlers: ['routing'] },
  },
  {
    folder: 'src/admin',
    imports: [...lower, 'src/http', 'src/gateway'],
    packages: ['node:fs', 'node:url'],
  },
  {
    folder: 'src/page',
    imports: ['src/admin'],
    packages: [
      '@dagrejs/dagre',
      '@xyflow/react',
      'lucide-react',
      'react',
      'react-dom/',
      '@xyflow/react/',
      'react/',
      'uplot',
      'uplot/',
    ],
  },
  {
    folder: 'src/bench',
    imports: ['src', 'src/base', 'src/backends/embedded'],
    packages: ['node:'],
  },
  {
    folder: 'src/cli',
    imports: [
      ...lower,
      'src/http',
      'src/gateway',
      'src/admin',
      'src/backends/embedded',
      'src/bench',
    ],
    packages: ['commander', 'node:'],
    parts: { terminal: [], shared: ['terminal'] },
  },
  {
    folder: 'src/cli/init/typescript',
    imports: [],
    packages: ['throughline', 'throughline/', 'zod', 'node:'],
  },
  { folder: 'src', imports: lower, packages: [] },
  example('examples/shop'),
  example('examples/straight-through'),
  {
    folder: 'bench',
    imports: ['examples/shop', 'src/base', 'src/bench'],
    packages: ['fastify', 'node:', 'throughline', 'throughline/', 'zod'],
  },
  {
    folder: 'tools',
    imports: ['src/base', 'src/http', 'examples/shop'],
    packages: ['@vitejs/plugin-react', 'node:', 'playwright-core', 'throughline', 'vite'],
  },
  {
    folder: 'test',
    imports: [
      ...lower,
      'src/backends/memory',
      'src/backends/embedded',
      'src/testing',
      'src/bench',
      'src/http',
      'src/gateway',
      'src/admin',
      'src/cli',
      'src',
      'tools',
      'examples/shop',
    ],
    packages: [
      '@seriousme/openapi-schema-validator',
      'ajv/',
      'axe-core',
      'fast-check',
      'node:',
      'playwright-core',
      'throughline',
      'throughline/',
      'vite',
      'zod',
    ],
  },
]

/** What tests may import in addition: the public entry points and test libraries. */
const SCHEMA_LIBRARIES = ['@valibot/to-json-schema', 'arktype', 'effect', 'valibot', 'zod']
const FOR_TESTS = ['throughline', 'throughline/', 'fast-check', 'node:', ...SCHEMA_LIBRARIES]

const IMPORT = /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]/g
const BARE_IMPORT = /(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g
const DYNAMIC_IMPORT = /\bimport\(\s*['"]([^'"]+)['"]/g

/** The specifiers that a file imports, grouped by form of import. */
export function importsOf(text: string): readonly string[] {
  return [IMPORT, BARE_IMPORT, DYNAMIC_IMPORT].flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => match[1] as string),
  )
}

/** Every import that the table does not allow, as a sentence. */
export function violationsOf(
  files: readonly SourceFile[],
  modules: readonly Module[] = MODULES,
): readonly string[] {
  const used = new Set<string>()
  const violations = files.flatMap(({ path, text }) => {
    const module = moduleOf(path, modules)
    if (!module) return [`${path} is in no module: move it or add a module`]
    used.add(module.folder)
    const part = partOf(path, module)
    if (part !== undefined) used.add(`${module.folder}/${part}`)
    return importsOf(text)
      .map((specifier) => violationOf(path, module, specifier, modules))
      .filter((violation) => violation !== undefined)
  })
  const empty = modules.flatMap(foldersOf).filter((folder) => !used.has(folder))
  return [...violations, ...empty.map((folder) => `${folder} is a module without files`)]
}

/** Every sub-module that may import one that is not below it. */
export function risingParts(modules: readonly Module[] = MODULES): readonly string[] {
  return modules.flatMap(({ folder, parts = {} }) => {
    const names = Object.keys(parts)
    return Object.entries(parts).flatMap(([part, imports]) =>
      imports
        .filter((each) => !names.slice(0, names.indexOf(part)).includes(each))
        .map((each) => `${folder}/${part} may import ${each}, which is not below it`),
    )
  })
}

function foldersOf({ folder, parts = {} }: Module): readonly string[] {
  return [folder, ...Object.keys(parts).map((part) => `${folder}/${part}`)]
}

/** The sub-module of a file in a module; `undefined` for a file beside the sub-modules. */
function partOf(path: string, { folder, parts = {} }: Module): string | undefined {
  const [name = ''] = path.slice(folder.length + 1).split('/')
  return name in parts ? name : undefined
}

function partViolation(path: string, module: Module, target: string): string | undefined {
  const [from, to] = [partOf(path, module), partOf(target, module)]
  if (from === undefined || from === to) return undefined
  if (to !== undefined && module.parts?.[from]?.includes(to)) return undefined
  const place = to === undefined ? 'the files beside it' : `${module.folder}/${to}`
  return `${path} imports ${target}, and ${module.folder}/${from} may not import from ${place}`
}

function moduleOf(path: string, modules: readonly Module[]): Module | undefined {
  return modules
    .filter(({ folder }) => path.startsWith(`${folder}/`))
    .toSorted((a, b) => b.folder.length - a.folder.length)[0]
}

function violationOf(
  path: string,
  module: Module,
  specifier: string,
  modules: readonly Module[],
): string | undefined {
  const isTest = path.endsWith('.test.ts')
  if (!specifier.startsWith('.')) {
    const allowed = isTest ? [...module.packages, ...FOR_TESTS] : module.packages
    const mayUse = allowed.some((name) =>
      /[/:]$/.test(name) ? specifier.startsWith(name) : specifier === name,
    )
    return mayUse ? undefined : `${path} imports ${specifier}, which ${module.folder} may not use`
  }
  const target = resolvePath(path, specifier)
  const owner = moduleOf(target, modules)
  if (owner === module)
    return partViolation(path, module, target) ?? indexViolation(path, module, target)
  if (owner && module.imports.includes(owner.folder)) return indexViolation(path, owner, target)
  return `${path} imports ${target}, and ${module.folder} may not import from ${owner?.folder ?? 'there'}`
}

/** The import of a file of a sub-module in place of its index. */
function indexViolation(path: string, owner: Module, target: string): string | undefined {
  const part = partOf(target, owner)
  if (part === undefined || !owner.hasIndexes) return undefined
  const folder = `${owner.folder}/${part}`
  const isFree =
    path.endsWith('.test.ts') || !path.startsWith('src/') || path.startsWith(`${folder}/`)
  if (isFree || target === `${folder}/index.ts`) return undefined
  return `${path} imports ${target}, and must import ${folder}/index.ts`
}

/** Every name that the index of a sub-module exports and no file of src outside it imports. */
export function indexViolationsOf(
  files: readonly SourceFile[],
  modules: readonly Module[] = MODULES,
): readonly string[] {
  const sources = files.filter(({ path }) => path.startsWith('src/') && !path.endsWith('.test.ts'))
  const used = namesByTarget(sources)
  const indexes = modules
    .filter(({ hasIndexes }) => hasIndexes)
    .flatMap(({ folder, parts = {} }) =>
      Object.keys(parts).map((part) => `${folder}/${part}/index.ts`),
    )
  return indexes.flatMap((index) => {
    const { values, types } = exportsOf(files.find(({ path }) => path === index)?.text ?? '')
    return [...values, ...types]
      .filter((name) => !used.get(index)?.has(name))
      .map((name) => `${index} exports ${name}, which no file outside imports`)
  })
}

const NAMED = /(?:^|\n)(?:import|export)\s(?:type\s)?\{([^}]*)\}\s*from\s*'(\.[^']+)'/g

/** The names that files import, by the path of the file that exports them. */
function namesByTarget(files: readonly SourceFile[]): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>()
  for (const { path, text } of files)
    for (const [, list = '', specifier = ''] of text.matchAll(NAMED)) {
      const target = resolvePath(path, specifier)
      const names = found.get(target) ?? new Set()
      found.set(target, names)
      for (const item of list.split(',')) names.add(item.trim().split(' as ')[0] ?? '')
    }
  return found
}

export function resolvePath(from: string, specifier: string): string {
  const steps = from.split('/').slice(0, -1)
  for (const step of specifier.split('/'))
    if (step === '..') steps.pop()
    else if (step !== '.') steps.push(step)
  return steps.join('/')
}
