#!/usr/bin/env node
// Starts the command line if Node.js is new enough, else says how to get a newer one. Plain JavaScript
// that any Node.js since 18 can run. Exit code 78: this Node.js is too old.
const needed = [24, 15]
const [major, minor] = process.versions.node.split('.').map(Number)

if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  console.error(
    `throughline needs Node.js ${needed.join('.')} or newer, and this is ${process.versions.node}.
Install it in one of these ways:
  nvm install ${needed[0]}
  fnm install ${needed[0]}
  volta install node@${needed[0]}
  an installer from https://nodejs.org`,
  )
  process.exitCode = 78
} else {
  const { endProcess, main } = await import('./main.ts')
  await endProcess(await main(process.argv.slice(2)))
}
