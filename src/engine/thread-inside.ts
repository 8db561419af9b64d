// What runs inside a thread: imports the modules of its handlers, and calls these as it is told.
import { parentPort, workerData } from 'node:worker_threads'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { frozen } from '../base/frozen.ts'
import { thrownError, thrownText } from '../base/thrown.ts'
import { withoutStarting } from '../base/without-starting.ts'
import { complaintsOfShape } from '../contract/shape.ts'
import type { Message } from '../contract/message.ts'
import type { OneOrMany, Send } from '../rules/effect.ts'
import { listOf } from '../rules/effect.ts'
import type { Handler } from '../rules/handler.ts'
import type { Attempt } from './handle.ts'
import { laterIn } from './handle.ts'
import type { FromThread, ThreadCall, ThreadData, Threaded, ToThread } from './thread.ts'

const handlers = new Map<string, Handler>()
let calling = new AbortController()

// A thread has no origin.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
const say = (said: FromThread): void => parentPort?.postMessage(said)

/** Nothing is started here: each thread would do so again. */
function refuseStart(path: string): never {
  const message = 'is called by a module that a thread imports: move the handler out of it'
  throw new Fault('START_REFUSED', { detail: 'a thread', complaints: [{ path, message }] })
}

/** Every handler that a module exports, by itself or in a service that runs it. */
function handlersOf(module: Readonly<Record<string, unknown>>): ReadonlySet<Handler> {
  const found = new Set<Handler>()
  for (const value of Object.values(module)) {
    const { is, runs } = (value ?? {}) as { is?: unknown; runs?: readonly unknown[] }
    for (const each of is === 'service' && Array.isArray(runs) ? runs : [value])
      if ((each as { is?: unknown } | undefined)?.is === 'handler') found.add(each as Handler)
  }
  return found
}

/** Finds a handler in its module; what is wrong, otherwise. */
async function load({ consumer, handler: name, module }: Threaded): Promise<string | undefined> {
  let found: readonly Handler[]
  try {
    const exported: Readonly<Record<string, unknown>> = await withoutStarting(
      refuseStart,
      () => import(module),
    )
    found = [...handlersOf(exported)].filter((each) => each.name === name)
  } catch (cause) {
    return `a thread cannot import its module: ${thrownText(cause)}`
  }
  const [handler] = found
  if (!handler)
    return `its module exports no handler ${name}: export it, or the service that runs it`
  if (found.length > 1) return `its module exports two handlers ${name}: rename one of them`
  handlers.set(consumer, handler)
  return undefined
}

async function call({ consumer, contract, name, json, handling }: ThreadCall): Promise<FromThread> {
  calling = new AbortController()
  try {
    const { rules } = handlers.get(consumer) as Handler
    const rule = rules.find(({ on }) => on.contract === contract && on.name === name)
    if (!rule) throw new Error(`the module of ${consumer} has no rule for ${contract}.${name} here`)
    const data: unknown = json === undefined ? undefined : frozen(JSON.parse(json))
    const told = { ...handling, signal: calling.signal }
    const returned: unknown = await withoutStarting(refuseStart, () =>
      rule.run(data as never, {} as never, told),
    )
    return answerOf(laterIn(returned)) ?? { is: 'returned', json: encoded(returned) }
  } catch (cause) {
    return answerOf(laterIn(cause)) ?? { is: 'failed', error: thrownError(cause) }
  }
}

/** A wish to be called later, if it is one. */
function answerOf(later: Attempt | undefined): FromThread | undefined {
  if (later?.is === 'failed') return { is: 'failed', error: thrownError(later.cause) }
  return later?.is === 'later' ? later : undefined
}

/** What is returned as text; what JSON would make into something else is refused here already. */
function encoded(returned: unknown): string {
  const all = listOf(returned as OneOrMany<Send | Message> | undefined)
  for (const each of all) {
    const { data, name } = (each && 'effect' in each ? each.message : each) ?? {}
    const complaints = complaintsOfShape(data)
    if (complaints.length > 0)
      throw new Fault('RULE_RETURNED', { detail: `${name} cannot be kept`, complaints })
  }
  return JSON.stringify(all)
}

const complaints: Complaint[] = []
for (const threaded of (workerData as ThreadData).throughline) {
  const message = await load(threaded)
  if (message !== undefined) complaints.push({ path: threaded.consumer, message })
}
say({ is: 'loaded', complaints })
parentPort?.on('message', (said: ToThread) => {
  if (said.is === 'abort') calling.abort()
  else void call(said).then(say)
})
