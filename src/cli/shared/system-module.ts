import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Board } from '../../admin/index.ts'
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import { forbidStart } from '../../base/start-guard.ts'
import type { AnyContract } from '../../contract/contract.ts'
import { isContract } from '../../contract/contract.ts'
import type { EngineOptions } from '../../engine/context/index.ts'
import type { GatewayOptions } from '../../gateway/index.ts'
import type { App } from '../../runtime/start.ts'
import type { Service } from '../../rules/service.ts'
import { onEarlyExit } from '../terminal/environment.ts'
import { errorText, errorView, exitCodeOf } from '../terminal/exit-codes.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** The exports of a module for `throughline run`. */
export interface SystemModule {
  readonly services: readonly Service[]
  /** The tools of the services' handlers. */
  readonly tools?: Readonly<Record<string, unknown>>
  readonly routes?: NonNullable<GatewayOptions['routes']>
  /** Default without `routes`: all contracts that the services own. */
  readonly expose?: NonNullable<GatewayOptions['expose']>
  /** Counts for the page, or a function that creates them from the app. */
  readonly boards?: readonly Board[] | ((app: App) => readonly Board[])
  readonly engine?: Partial<EngineOptions>
}

const isRecord = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The optional exports: a check, and what to say if it fails. */
const OPTIONAL: Readonly<Record<string, readonly [(value: unknown) => boolean, string]>> = {
  tools: [isRecord, 'must be an object of tools by name'],
  routes: [Array.isArray, 'must be a list of routes'],
  expose: [Array.isArray, 'must be a list of contracts, commands and queries'],
  boards: [
    (value) => Array.isArray(value) || typeof value === 'function',
    'must be a list of boards, or a function of the app that returns one',
  ],
  engine: [isRecord, 'must be an object of options'],
}

/**
 * Imports a module that exports services to run.
 *
 * @throws Fault `OPTION_INVALID` with all invalid exports, and for a module that starts something
 * itself; also whatever the module throws
 */
export async function importSystem(terminal: Terminal, file: string): Promise<SystemModule> {
  const given = await importModule(terminal, file, 'run')
  const issues = issuesInModule(given)
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: file, issues })
  return given as unknown as SystemModule
}

type Exports = Readonly<Record<string, unknown>>

/**
 * Imports a module for its exports. Calls of `start` and `listen` in the module are blocked. A module
 * that ends the process is reported, with the exit code for wrong usage.
 */
async function importModule(terminal: Terminal, file: string, detail: string): Promise<Exports> {
  const path = resolve(terminal.cwd, file)
  const invalid = (message: string): Fault =>
    new Fault('OPTION_INVALID', { detail, issues: [{ path: file, message }] })
  if (!existsSync(path)) throw invalid(`does not exist: ${path}`)
  const refusal = Promise.withResolvers<never>()
  let isRead = false
  const onStart = (call: string): void => {
    if (isRead)
      terminal.notice(`${file} calls ${call}, which is ignored: only its exports are used.`)
    else
      refusal.reject(invalid(`calls ${call} when it is imported, which is ignored: ${MODULE_CURE}`))
  }
  const stopWatching = onEarlyExit({
    onIdle: () => refusal.reject(invalid(`never finishes its import: ${MODULE_CURE}`)),
    onExit() {
      const fault = invalid(`ends the process when it is imported: ${MODULE_CURE}`)
      terminal.error(errorView(fault), errorText(fault))
      return exitCodeOf(fault)
    },
  })
  try {
    const importing = forbidStart(onStart, () => import(pathToFileURL(path).href))
    const exported = (await Promise.race([importing, refusal.promise])) as Exports
    isRead = true
    return exported
  } finally {
    stopWatching()
  }
}

const MODULE_CURE = 'name the module that exports the services, such as service.ts'

/**
 * Imports a module for its contracts: those that its services own, and those that it exports.
 *
 * @throws Fault `OPTION_INVALID` for a module without contracts, and for one that starts something;
 * also whatever the module throws
 */
export async function importContracts(
  terminal: Terminal,
  file: string,
): Promise<readonly AnyContract[]> {
  const given = await importModule(terminal, file, 'contracts')
  const { services } = given
  const wrong = issuesInServices(services, [])
  const owned = wrong.length > 0 ? [] : (services as Service[])
  const found = [...owned.flatMap(({ owns }) => owns), ...Object.values(given).filter(isContract)]
  if (found.length > 0) return [...new Set(found)]
  const exported = Object.keys(given)
  const message = `exports neither services nor contracts, ${exportedText(exported)}`
  const issues = [
    ...(services === undefined ? [{ path: file, message }] : wrong),
    ...(owned.length > 0 ? [{ path: 'services', message: 'own no contract' }] : []),
  ]
  throw new Fault('OPTION_INVALID', { detail: file, issues })
}

function issuesInModule(given: Readonly<Record<string, unknown>>): readonly Issue[] {
  const issues = [...issuesInServices(given['services'], Object.keys(given))]
  for (const [path, [isFit, message]] of Object.entries(OPTIONAL)) {
    const value = given[path]
    if (value !== undefined && !isFit(value)) issues.push({ path, message })
  }
  return issues
}

function issuesInServices(services: unknown, exported: readonly string[]): Issue[] {
  const path = 'services'
  if (services === undefined) {
    const message = `is not exported (${exportedText(exported)}): export const services = [service(…), …]`
    return [{ path, message }]
  }
  if (!Array.isArray(services) || services.length === 0)
    return [{ path, message: 'must be a list of at least one service' }]
  return services.flatMap((each: Partial<Service> | undefined, at) => {
    const place = `${path}[${at}]`
    if (each?.kind !== 'service' || !Array.isArray(each.owns) || !Array.isArray(each.runs))
      return [{ path: place, message: 'is not a service: create it with service(…)' }]
    const strange = each.owns.some((contract) => !isContract(contract))
    return strange ? [{ path: `${place}.owns`, message: OTHER_COPY }] : []
  })
}

const exportedText = (exported: readonly string[]): string =>
  exported.length > 0 ? `only ${exported.join(', ')}` : 'nothing'

const OTHER_COPY =
  'has a contract from another copy of this package: is it installed twice? ' +
  'Install it next to the module, and run npx throughline'
