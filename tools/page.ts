// Builds the browser page into dist/page, unless that was built from the same sources.
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'src/page')
const target = join(root, 'dist/page')
const hashFile = join(target, '.built')
/** Packages that are part of the page or of its build. */
const packages = [
  'react',
  'react-dom',
  '@xyflow/react',
  '@dagrejs/dagre',
  'uplot',
  'lucide-react',
  'vite',
  '@vitejs/plugin-react',
]

/** A hash of all inputs of the build, this file included. */
function hashOfSource(): string {
  const hash = createHash('sha256')
  const inside = globSync('**/*', { cwd: source })
    .filter((name) => /\.(tsx?|css|html|svg)$/.test(name) && !name.endsWith('.test.ts'))
    .map((name) => `src/page/${name.replaceAll('\\', '/')}`)
  for (const name of [...inside, 'src/admin/wire.ts', 'tools/page.ts'].sort())
    hash.update(`${name}\n`).update(readFileSync(join(root, name)))
  for (const name of packages) {
    const text = readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')
    hash.update(`${name}@${(JSON.parse(text) as { version: string }).version}\n`)
  }
  return hash.digest('hex')
}

async function buildPage(): Promise<void> {
  const [{ build }, { default: react }] = await Promise.all([
    import('vite'),
    import('@vitejs/plugin-react'),
  ])
  await build({
    configFile: false,
    root: source,
    base: '/page/',
    mode: 'production',
    logLevel: 'warn',
    plugins: [react()],
    build: {
      outDir: target,
      emptyOutDir: true,
      target: ['chrome123', 'firefox121', 'safari17.5'],
      assetsInlineLimit: 0,
      reportCompressedSize: false,
      // No polyfill: all target browsers preload modules.
      modulePreload: { polyfill: false },
    },
  })
}

const hash = hashOfSource()
const built = existsSync(hashFile) ? readFileSync(hashFile, 'utf8') : ''
if (built !== hash) {
  const began = performance.now()
  try {
    await buildPage()
    writeFileSync(hashFile, hash)
    process.stderr.write(`Built the page in ${Math.round(performance.now() - began)} ms.\n`)
  } catch (cause) {
    process.stderr.write(`The page could not be built: ${String(cause)}\n`)
    process.exitCode = 1
  }
}
