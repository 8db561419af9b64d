// Creates the package.json of the published package from that of the repo.

/** The entries of the repo's package.json that are used. */
export interface SourceManifest {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly license: string
  readonly engines: Readonly<Record<string, string>>
  /** Source files by entry point. */
  readonly exports: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
}

/** The published package.json: no install scripts, and nothing that only the repo needs. */
export interface Manifest extends Omit<SourceManifest, 'exports'> {
  readonly keywords: readonly string[]
  readonly type: 'module'
  readonly bin: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>
}

/** The path of the command in the package. */
export const BIN = 'bin/throughline.mjs'

const KEYWORDS: readonly string[] = [
  'cqrs',
  'event-driven',
  'event-log',
  'event-sourcing',
  'message-queue',
  'microservices',
  'process-manager',
  'saga',
  'typescript',
]
const EXACT = /^\d+\.\d+\.\d+$/

/** @throws Error for an entry point that is not a source file, and for an unpinned dependency */
export function manifestOf(own: SourceManifest): Manifest {
  const { name, version, description, license, engines, dependencies } = own
  for (const [dependency, range] of Object.entries(dependencies))
    if (!EXACT.test(range)) throw new Error(`${dependency} is not pinned: ${range}`)
  const entryPoints = Object.entries(own.exports).map(([entryPoint, source]) => {
    const module = /^\.\/src\/(.+)\.ts$/.exec(source)?.[1]
    if (module === undefined)
      throw new Error(`the entry point ${entryPoint} is not a source file: ${source}`)
    return [entryPoint, { types: `./dist/${module}.d.ts`, default: `./dist/${module}.js` }] as const
  })
  return {
    name,
    version,
    description,
    keywords: KEYWORDS,
    license,
    type: 'module',
    engines,
    bin: { [name]: BIN },
    exports: Object.fromEntries(entryPoints),
    dependencies,
  }
}
