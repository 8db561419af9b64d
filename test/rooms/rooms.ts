// The table of allowed imports between modules, and a pure check of files against it.

/** A module: the files below a folder, without those of deeper modules. */
export interface Room {
  readonly folder: string
  /** Other modules that it may import. */
  readonly rooms: readonly string[]
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
const below = (room: string): readonly string[] => lower.slice(0, lower.indexOf(room))

/** All modules. A file outside of them and a module without files are violations. */
export const ROOMS: readonly Room[] = [
  { folder: 'src/base', rooms: [], packages: ['node:async_hooks', 'node:crypto'] },
  { folder: 'src/contract', rooms: ['src/base'], packages: ['@standard-schema/spec'] },
  { folder: 'src/ports', rooms: ['src/base', 'src/contract'], packages: ['node:assert/strict'] },
  {
    folder: 'src/rules',
    rooms: ['src/base', 'src/contract'],
    packages: ['@standard-schema/spec'],
  },
  {
    folder: 'src/engine',
    rooms: below('src/engine'),
    packages: ['node:os', 'node:worker_threads'],
  },
  {
    folder: 'src/control',
    rooms: below('src/control'),
    packages: ['node:crypto', 'node:fs', 'node:net', 'node:os', 'node:path', 'node:readline'],
  },
  { folder: 'src/runtime', rooms: below('src/runtime'), packages: [] },
  {
    folder: 'src/backends/memory',
    rooms: ['src/base', 'src/contract', 'src/ports'],
    packages: [],
  },
  {
    folder: 'src/backends/embedded',
    rooms: ['src/base', 'src/contract', 'src/ports'],
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
    rooms: [...lower, 'src/backends/memory'],
    packages: ['node:assert/strict'],
  },
  {
    folder: 'src/http',
    rooms: ['src/base'],
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
    rooms: [...lower, 'src/http'],
    packages: ['@standard-schema/spec'],
  },
  {
    folder: 'src/admin',
    rooms: [...lower, 'src/http', 'src/gateway'],
    packages: ['node:fs', 'node:url'],
  },
  {
    folder: 'src/page',
    rooms: ['src/admin'],
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
    rooms: ['src', 'src/base', 'src/backends/embedded'],
    packages: ['node:'],
  },
  {
    folder: 'src/cli',
    rooms: [...lower, 'src/http', 'src/gateway', 'src/admin', 'src/backends/embedded', 'src/bench'],
    packages: ['commander', 'node:'],
  },
  {
    folder: 'src/cli/init/typescript',
    rooms: [],
    packages: ['throughline', 'throughline/', 'zod', 'node:'],
  },
  { folder: 'src', rooms: lower, packages: [] },
  { folder: 'examples/shop', rooms: [], packages: ['throughline', 'throughline/', 'zod', 'node:'] },
  {
    folder: 'bench',
    rooms: ['examples/shop', 'src/base', 'src/bench'],
    packages: ['fastify', 'node:', 'throughline', 'throughline/', 'zod'],
  },
  {
    folder: 'tools',
    rooms: ['src/base', 'src/http', 'examples/shop'],
    packages: ['@vitejs/plugin-react', 'node:', 'playwright-core', 'throughline', 'vite'],
  },
  {
    folder: 'test',
    rooms: [
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
export function complaintsOf(
  files: readonly SourceFile[],
  rooms: readonly Room[] = ROOMS,
): readonly string[] {
  const used = new Set<string>()
  const complaints = files.flatMap(({ path, text }) => {
    const room = roomOf(path, rooms)
    if (!room) return [`${path} is in no module: move it or add a module`]
    used.add(room.folder)
    return importsOf(text)
      .map((specifier) => complaintOf(path, room, specifier, rooms))
      .filter((complaint) => complaint !== undefined)
  })
  const empty = rooms.filter(({ folder }) => !used.has(folder))
  return [...complaints, ...empty.map(({ folder }) => `${folder} is a module without files`)]
}

function roomOf(path: string, rooms: readonly Room[]): Room | undefined {
  return rooms
    .filter(({ folder }) => path.startsWith(`${folder}/`))
    .toSorted((a, b) => b.folder.length - a.folder.length)[0]
}

function complaintOf(
  path: string,
  room: Room,
  specifier: string,
  rooms: readonly Room[],
): string | undefined {
  const isTest = path.endsWith('.test.ts')
  if (!specifier.startsWith('.')) {
    const allowed = isTest ? [...room.packages, ...FOR_TESTS] : room.packages
    const mayUse = allowed.some((name) =>
      /[/:]$/.test(name) ? specifier.startsWith(name) : specifier === name,
    )
    return mayUse ? undefined : `${path} imports ${specifier}, which ${room.folder} may not use`
  }
  const target = resolvePath(path, specifier)
  const owner = roomOf(target, rooms)
  if (owner === room || (owner && room.rooms.includes(owner.folder))) return undefined
  return `${path} imports ${target}, and ${room.folder} may not import from ${owner?.folder ?? 'there'}`
}

function resolvePath(from: string, specifier: string): string {
  const steps = from.split('/').slice(0, -1)
  for (const step of specifier.split('/'))
    if (step === '..') steps.pop()
    else if (step !== '.') steps.push(step)
  return steps.join('/')
}
