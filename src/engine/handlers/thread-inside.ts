// The program of a thread: imports the modules of its handlers, and calls a handler for each message.
import { parentPort, workerData } from 'node:worker_threads'
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import { deepFreeze } from '../../base/deep-freeze.ts'
import { thrownError, thrownMessage } from '../../base/errors/thrown-error.ts'
import { forbidStart } from '../../base/start-guard.ts'
import { shapeIssues } from '../../contract/data/shape.ts'
import type { Message } from '../../contract/message.ts'
import type { OneOrMany, Send } from '../../rules/effect.ts'
import { toList } from '../../rules/effect.ts'
import type { Handler } from '../../rules/handler.ts'
import { callRule } from '../../rules/rule.ts'
import { retryAfterIn } from './call-handler.ts'
import type {
  FromThread,
  ThreadAnswer,
  ThreadCall,
  ThreadData,
  Threaded,
  ToThread,
} from './thread.ts'
import type { Attempt } from '../execution/index.ts'

const handlers = new Map<string, Handler>()
let calling = new AbortController()

// `postMessage` of a port takes no origin.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
const post = (message: FromThread): void => parentPort?.postMessage(message)

/** An app that a module starts would start once more in each thread. */
function refuseStart(path: string): never {
  const message = 'is called by a module that a thread imports: move the handler out of it'
  throw new Fault('START_REFUSED', { detail: 'a thread', issues: [{ path, message }] })
}

/** The handlers that a module exports, directly or in a service that runs them. */
function handlersOf(module: Readonly<Record<string, unknown>>): ReadonlySet<Handler> {
  const found = new Set<Handler>()
  for (const value of Object.values(module)) {
    const { kind, runs } = (value ?? {}) as { kind?: unknown; runs?: readonly unknown[] }
    for (const each of kind === 'service' && Array.isArray(runs) ? runs : [value])
      if ((each as { kind?: unknown } | undefined)?.kind === 'handler') found.add(each as Handler)
  }
  return found
}

/** Imports the module of a handler and finds the handler there; returns the issue otherwise. */
async function load({ consumer, handler: name, module }: Threaded): Promise<string | undefined> {
  let found: readonly Handler[]
  try {
    const exported: Readonly<Record<string, unknown>> = await forbidStart(
      refuseStart,
      () => import(module),
    )
    found = [...handlersOf(exported)].filter((each) => each.name === name)
  } catch (cause) {
    return `a thread cannot import its module: ${thrownMessage(cause)}`
  }
  const [handler] = found
  if (!handler)
    return `its module exports no handler ${name}: export it, or the service that runs it`
  if (found.length > 1) return `its module exports two handlers ${name}: rename one of them`
  handlers.set(consumer, handler)
  return undefined
}

async function call(threadCall: ThreadCall): Promise<ThreadAnswer> {
  const { consumer, contract, name, json, handling } = threadCall
  calling = new AbortController()
  try {
    const rules = handlers.get(consumer)?.rules
    const rule = rules?.find(({ on }) => on.contract === contract && on.name === name)
    if (!rule) throw new Error(`the module of ${consumer} has no rule for ${contract}.${name} here`)
    const data: unknown = json === undefined ? undefined : deepFreeze(JSON.parse(json))
    const context = { ...handling, signal: calling.signal }
    const returned: unknown = await forbidStart(refuseStart, () =>
      callRule(rule, data, {}, context),
    )
    return answerFrom(retryAfterIn(returned)) ?? { kind: 'returned', json: encoded(returned) }
  } catch (cause) {
    return answerFrom(retryAfterIn(cause)) ?? { kind: 'failed', error: thrownError(cause) }
  }
}

/** The answer of a handler that asks to be called later. */
function answerFrom(later: Attempt | undefined): ThreadAnswer | undefined {
  if (later?.status === 'failed') return { kind: 'failed', error: thrownError(later.cause) }
  return later?.status === 'later' ? { kind: 'later', delayMs: later.delayMs } : undefined
}

/** What a handler returned, as JSON; data that JSON would change is refused here. */
function encoded(returned: unknown): string {
  const all = toList(returned as OneOrMany<Send | Message> | undefined)
  for (const each of all) {
    const { data, name } = (each && 'effect' in each ? each.message : each) ?? {}
    const issues = shapeIssues(data)
    if (issues.length > 0)
      throw new Fault('RULE_RETURNED', { detail: `${name} cannot be kept`, issues })
  }
  return JSON.stringify(all)
}

const issues: Issue[] = []
for (const threaded of (workerData as ThreadData).throughline) {
  const message = await load(threaded)
  if (message !== undefined) issues.push({ path: threaded.consumer, message })
}
post({ kind: 'loaded', issues })
parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'abort') calling.abort()
  else void call(message).then(post)
})
