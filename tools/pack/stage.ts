// Creates the directory that is packed.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Manifest, SourceManifest } from './manifest.ts'
import { BIN, manifestOf } from './manifest.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const DOCUMENTS = ['README.md', 'LICENSE', 'CHANGELOG.md']

/** Fills an empty directory with the files of the package, and returns its package.json. */
export function stage(directory: string): Manifest {
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as SourceManifest
  const manifest = manifestOf(own)
  write(join(directory, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
  for (const document of DOCUMENTS) cpSync(join(root, document), join(directory, document))
  compile(join(directory, 'dist'))
  addCommand(directory)
  addTemplates(join(directory, 'dist/cli/init'))
  addPage(join(directory, 'dist/page'))
  return manifest
}

function compile(into: string): void {
  runNode([join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tools/pack', '--outDir', into])
  // The compiler rewrites imports in modules, but not in declarations.
  for (const file of globSync('**/*.d.ts', { cwd: into })) {
    const text = readFileSync(join(into, file), 'utf8')
    const local = /((?:from|import\() ?['"]\.[^'"]*)\.ts(['"])/g
    write(join(into, file), text.replaceAll(local, '$1.js$2'))
  }
}

function addCommand(directory: string): void {
  const source = readFileSync(join(root, 'src/cli/bin.mjs'), 'utf8')
  const command = source.replace("'./main.ts'", "'../dist/cli/main.js'")
  if (command === source) throw new Error('src/cli/bin.mjs no longer imports ./main.ts')
  write(join(directory, BIN), command)
  chmodSync(join(directory, BIN), 0o755)
}

/** Adds the templates of `throughline init`, in both languages. */
function addTemplates(into: string): void {
  const [source, typescript] = [join(root, 'src/cli/init/typescript'), join(into, 'typescript')]
  const javascript = join(into, 'javascript')
  cpSync(source, typescript, { recursive: true })
  runNode([
    '--disable-warning=ExperimentalWarning',
    join(root, 'tools/pack/javascript.ts'),
    source,
    javascript,
  ])
  cpSync(join(source, 'gitignore'), join(javascript, 'gitignore'))
  // Renamed, since they would count as tests of the package. `init` restores the names.
  for (const [language, ending] of [[typescript, 'ts'] as const, [javascript, 'js'] as const])
    renameSync(join(language, `service.test.${ending}`), join(language, `service-test.${ending}`))
  const readme = readFileSync(join(source, 'README.md'), 'utf8')
  write(join(javascript, 'README.md'), readme.replaceAll('.ts`', '.js`'))
}

/** Adds the page, and builds it if it is out of date. */
function addPage(into: string): void {
  const builder = join(root, 'tools/page.ts')
  if (existsSync(builder)) runNode([builder])
  const page = join(root, 'dist/page')
  // Without the hash file of the builder.
  const filter = (file: string): boolean => !basename(file).startsWith('.')
  if (existsSync(page)) cpSync(page, into, { recursive: true, filter })
}

function runNode(args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${args.join(' ')} failed:\n${stdout}${stderr}`)
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
