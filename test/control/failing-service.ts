// A service whose handler fails for keys that begin with `bad`, for tests of dead letters.
import type { App } from 'throughline'
import { command, contract, entity, event, handler, service, start } from 'throughline'
import type { Backend } from 'throughline/backend'
import { z } from 'zod'

const Letter = z.object({ id: z.string(), note: z.string().max(20) })

export const Post = contract(
  'post',
  { key: 'id' },
  { Write: command(Letter), Written: event(Letter) },
)

const letter = entity(
  'letter',
  { of: Post, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Post.Write, (data) => Post.Written(data))],
    evolve: (on) => [on(Post.Written, (_, count) => count + 1)],
  },
)

/** What the outside does: fails for keys that begin with `bad`, unless their note says so. */
export interface Outside {
  readonly handled: string[]
  isWorking: boolean
}

export function createPost(outside: Outside) {
  const mail = handler('mail', { retry: { attempts: 1 } }, (on) => [
    on(Post.Written, ({ id, note }) => {
      if (!outside.isWorking && id.startsWith('bad') && note !== 'good')
        throw Object.assign(new Error(`no address ${id.slice(3)}`), { code: 'NO_ADDRESS' })
      outside.handled.push(`${id} ${note}`)
    }),
  ])
  return service('post', { owns: [Post], runs: [letter, mail] })
}

export const createOutside = (): Outside => ({ handled: [], isWorking: false })

/** Starts the service. */
export function startPost(backend: Backend, outside: Outside): Promise<App> {
  return start([createPost(outside)], backend, {
    engine: { idleMs: 5, retryDelayMs: 2 },
    onRuleError: () => undefined,
  })
}

/** Sends letters with these ids, each with its own note, until `dead` of them have failed. */
export async function writeLetters(app: App, ids: readonly string[], dead: number): Promise<void> {
  for (const [at, id] of ids.entries())
    await app.send(Post.Write({ id, note: `note ${at}` }), { id: `write-${at}` })
  for (;;) {
    const { items } = await app.deadLetters.list({ limit: 1_000 })
    const status = await app.status()
    if (items.length === dead && status.every(({ lag }) => lag === 0)) return
    await new Promise(setImmediate)
  }
}
