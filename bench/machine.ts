// The machine of a run, and the versions of the software.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'

/** The machine and the versions of a run. */
export interface Machine {
  readonly cores: number
  readonly model: string
  readonly memoryBytes: number
  readonly system: string
  readonly node: string
  readonly sqlite: string
  readonly throughline: string
  /** The load average of the minute before the run. */
  readonly loadBefore: number
}

export function machineOf(): Machine {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return {
    cores: cpus().length,
    model: cpus()[0]?.model.trim() ?? '',
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    sqlite: process.versions['sqlite'] ?? '',
    throughline: `${(JSON.parse(manifest) as { version: string }).version} ${revision()}`.trim(),
    loadBefore: loadavg()[0] ?? 0,
  }
}

function revision(): string {
  try {
    const args = ['describe', '--always', '--dirty', '--exclude', '*']
    const cwd = new URL('..', import.meta.url)
    return execFileSync('git', args, {
      encoding: 'utf8',
      cwd,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return ''
  }
}

const GIB = 1_073_741_824

export function machineText(machine: Machine): string {
  const { cores, model, memoryBytes, system, node, sqlite, throughline, loadBefore } = machine
  return [
    `${cores} cores (${model}), ${Math.round(memoryBytes / GIB)} GiB, ${system}`,
    `throughline ${throughline}, Node.js ${node}, SQLite ${sqlite}`,
    `load before: ${loadBefore.toFixed(2)}`,
  ].join('\n')
}
