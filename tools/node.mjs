// Runs a program with a Node.js that is new enough: the current one, or the one that `npm ci` has
// installed. Plain JavaScript that any Node.js since 18 can run.
//
//   node tools/node.mjs FILE.ts [ARGUMENTS]      a program
//   node tools/node.mjs PACKAGE [ARGUMENTS]      the command of an installed package, such as tsc
//
// Does not use the links in node_modules/.bin: npm 10 loses them if packages share a name.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const needed = [24, 15]
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(root, 'node_modules')
const platform = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
const carriers = [`node-${platform}`, `node-bin-${platform}`]
const commands = { tsc: 'typescript' }

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > needed[0] || (major === needed[0] && minor >= needed[1])
}

/** A Node.js that is new enough, if there is one. */
function findNode() {
  if (isNewEnough(process.versions.node)) return process.execPath
  const names = process.platform === 'win32' ? ['node.exe', 'bin/node.exe'] : ['bin/node']
  return carriers
    .flatMap((carrier) => names.map((name) => join(modules, carrier, name)))
    .find((path) => existsSync(path))
}

/** The path of a file unchanged; for the name of a package, the path of its command. */
function findScript(name) {
  const directory = join(modules, commands[name] ?? name)
  if (/[./\\]/.test(name) || name.startsWith('-') || !existsSync(directory)) return name
  const { bin } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  return resolve(directory, typeof bin === 'string' ? bin : bin[name])
}

const node = findNode()
if (!node) {
  console.error(
    `Node.js ${needed.join('.')} or newer is needed, and this is ${process.versions.node}. ` +
      `Run "npm ci", which installs one for common platforms, or install a newer Node.js.`,
  )
  process.exit(1)
}
const [name = '--help', ...rest] = process.argv.slice(2)
const child = spawn(node, [findScript(name), ...rest], { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    // Ctrl-C reaches the child by itself; a signal to this process alone is forwarded.
    if (!process.stdin.isTTY || signal !== 'SIGINT') child.kill(signal)
  })
child.on('error', (cause) => {
  console.error(`${node} could not be started: ${cause.message}`)
  process.exit(1)
})
child.on('exit', (code, signal) => {
  if (!signal) process.exit(code ?? 1)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})
