import { pause, within } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { CATALOG_TABLE, keepCatalog } from './catalog.ts'
import { keepSchemas, mustBeCompatible } from './compatibility.ts'
import { processor } from './processor.ts'
import { scan } from './scan.ts'
import type { Sender } from './sender.ts'
import { sender } from './sender.ts'
import type { EngineTools } from './tools.ts'
import { keepUp } from './upkeep.ts'

/** A running engine: every processor of every service here, and the door for commands. */
export interface Engine {
  readonly sender: Sender
  /**
   * Ends the units in hand, gives claims back; what runs past the grace is aborted, and left behind
   * when it does not end then. `ending` is called before the backend closes.
   */
  stop(graceMs: number, ending: () => void): Promise<void>
}

/** How long what was aborted may take to end. */
const ABORT_MS = 1_000

/**
 * Opens the backend, declares topics and tables, and sets the processors going.
 *
 * @throws Fault `CONTRACT_INCOMPATIBLE`, `TOPIC_DIFFERS`, `STORE_UNKNOWN`, and what opening the
 * backend throws
 */
export async function runEngine(tools: EngineTools): Promise<Engine> {
  const { plan, backend, clock } = tools
  try {
    await prepare(tools)
  } catch (cause) {
    // Nothing runs, so nothing may stay open.
    await backend.store.close()
    await backend.log.close()
    throw cause
  }
  const processors = plan.services.flatMap((service) =>
    service.groups.map((group) => processor(tools, service, group)),
  )
  const told = new AbortController()
  const tasks = [
    tellCatalog(tools, told.signal),
    scan(tools, told.signal),
    keepUp(tools, told.signal),
  ]
  const running = [...tasks, ...processors.map((each) => each.run())]
  const door = sender(tools)
  let stopped: Promise<void> | undefined
  const stop = async (graceMs: number, ending: () => void): Promise<void> => {
    await door.close()
    told.abort()
    for (const each of processors) each.stop()
    const all = Promise.all(running).then(() => 'ended')
    const inTime = await within(clock, graceMs, all)
    for (const each of processors) each.abort()
    if (!inTime && !(await within(clock, ABORT_MS, all)))
      tools.watch.broke('stop', new Error('a handler does not end although its signal has aborted'))
    ending()
    await backend.store.close()
    await backend.log.close()
  }
  return { sender: door, stop: (graceMs, ending) => (stopped ??= stop(graceMs, ending)) }
}

/** Nobody here waits for it: it is for those who look at the data without the code. */
async function tellCatalog(tools: EngineTools, signal: AbortSignal): Promise<void> {
  const { backend, catalog, clock, options, watch } = tools
  while (!signal.aborted)
    try {
      await keepCatalog(backend.store, catalog)
      return watch.mended('catalog')
    } catch (cause) {
      watch.broke('catalog', cause)
      await pause(clock, options.retryDelayMs, signal)
    }
}

async function prepare(tools: EngineTools): Promise<void> {
  const { plan, backend } = tools
  const { log, store } = backend
  await log.open()
  await store.open()
  await store.declare([{ name: CATALOG_TABLE, indexes: [] }])
  await mustBeCompatible(tools)
  const topics = await log.declare([...plan.topics.values()])
  const complaints = topics.flatMap(({ name, differences }) =>
    differences.map((message) => ({ path: name, message })),
  )
  if (complaints.length > 0) throw new Fault('TOPIC_DIFFERS', { detail: 'topics', complaints })
  await store.declare(plan.services.flatMap(({ tables }) => tables))
  await keepSchemas(tools)
}
