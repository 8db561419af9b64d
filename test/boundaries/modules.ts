// The table of allowed imports between modules, and a pure check of files against it.

/** A module: the files below a folder, without those of deeper modules. */
export interface Module {
  readonly folder: string
  /** Other modules that it may import. */
  readonly imports: readonly string[]
  /** Packages and built-in modules of Node; a name that ends in `/` or `:` is a prefix. */
  readonly packages: readonly string[]
}

export interface SourceFile {
  /** The path from the root of the repository, with forward slashes. */
  readonly path: string
  readonly text: string
}

const lower = [
  'src/base',
  'src/contract',
  'src/ports',
  'src/rules',
  'src/engine',
  'src/control',
  'src/runtime',
]
const below = (module: string): readonly string[] => lower.slice(0, lower.indexOf(module))

/** All modules. A file outside of them and a module without files are violations. */
export const MODULES: readonly Module[] = [
  { folder: 'src/base', imports: [], packages: ['node:async_hooks', 'node:crypto'] },
  { folder: 'src/contract', imports: ['src/base'], packages: ['@standard-schema/spec'] },
  { folder: 'src/ports', imports: ['src/base', 'src/contract'], packages: ['node:assert/strict'] },
  {
    folder: 'src/rules',
    imports: ['src/base', 'src/contract'],
    packages: ['@standard-schema/spec'],
  },
  {
    folder: 'src/engine',
    imports: below('src/engine'),
    packages: ['node:os', 'node:worker_threads'],
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
  },
  {
    folder: 'src/cli/init/typescript',
    imports: [],
    packages: ['throughline', 'throughline/', 'zod', 'node:'],
  },
  { folder: 'src', imports: lower, packages: [] },
  {
    folder: 'examples/shop',
    imports: [],
    packages: ['throughline', 'throughline/', 'zod', 'node:'],
  },
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
    return importsOf(text)
      .map((specifier) => violationOf(path, module, specifier, modules))
      .filter((violation) => violation !== undefined)
  })
  const empty = modules.filter(({ folder }) => !used.has(folder))
  return [...violations, ...empty.map(({ folder }) => `${folder} is a module without files`)]
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
  if (owner === module || (owner && module.imports.includes(owner.folder))) return undefined
  return `${path} imports ${target}, and ${module.folder} may not import from ${owner?.folder ?? 'there'}`
}

export function resolvePath(from: string, specifier: string): string {
  const steps = from.split('/').slice(0, -1)
  for (const step of specifier.split('/'))
    if (step === '..') steps.pop()
    else if (step !== '.') steps.push(step)
  return steps.join('/')
}
