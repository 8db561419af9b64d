// Kills the shop repeatedly, and checks that its final state is the same as without kills.
//
//   npm run crash -- [--orders FILE[.gz]] [--seed N] [--kills N]
//
// Runs the shop once without kills. Then starts it repeatedly in one data directory and sends SIGKILL at
// random times, until it was killed often enough, and runs it to the end. Orders, money and stock must
// be the same. The seed determines the times, but not how far a run gets. If the shop finishes before
// the last kill, it continues in another directory.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { seededRandom } from '../src/base/random.ts'

const shop = fileURLToPath(new URL('../examples/shop/main.ts', import.meta.url))
const tell = (text: string): void => void process.stderr.write(`${text}\n`)

interface Summary {
  readonly orders: object
  readonly money: object
  readonly stock: object
}

interface Run {
  /** The final state, if the run was not killed. */
  readonly summary: Summary | undefined
  readonly tookMs: number
}

/** Runs the shop to its end, or until it is killed. */
async function run(args: readonly string[], killAfterMs = Infinity): Promise<Run> {
  const began = performance.now()
  const child = spawn(process.execPath, [shop, '--once', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, errors] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4_000)))
  const ended = new AbortController()
  const killing =
    killAfterMs === Infinity
      ? undefined
      : pause(killAfterMs, undefined, { signal: ended.signal }).then(
          () => child.kill('SIGKILL'),
          () => undefined,
        )
  const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>(
    (resolve, reject) => {
      child.on('error', reject)
      child.on('close', (exitCode, by) => resolve({ code: exitCode, signal: by }))
    },
  )
  ended.abort()
  await killing
  const tookMs = performance.now() - began
  if (signal === 'SIGKILL') return { summary: undefined, tookMs }
  if (code !== 0) throw new Error(`the shop ended with ${code ?? signal}:\n${errors}`)
  const { orders, money, stock } = JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as Summary
  return { summary: { orders, money, stock }, tookMs }
}

async function killRepeatedly(
  input: readonly string[],
  seed: number,
  kills: number,
): Promise<boolean> {
  const random = seededRandom(seed)
  const root = await mkdtemp(join(tmpdir(), 'throughline-crash-'))
  const undisturbed = [...input, '--data', join(root, 'undisturbed')]
  try {
    const { summary: expected, tookMs } = await run(undisturbed)
    // A run with nothing left to do: the time of a start.
    const { tookMs: startMs } = await run(undisturbed)
    const rangeMs = startMs / 2 + (3 * Math.max(0, tookMs - startMs)) / (kills + 1)
    tell(`without kills: ${Math.round(tookMs)} ms, ${Math.round(startMs)} ms of it to start`)
    let done = 0
    for (let round = 1; done < kills; round += 1) {
      const args = [...input, '--data', join(root, `killed-${round}`)]
      let end: Run
      do {
        const killAfterMs = done < kills ? startMs / 2 + rangeMs * random() : Infinity
        end = await run(args, killAfterMs)
        if (!end.summary) {
          done += 1
          tell(`killed after ${Math.round(killAfterMs)} ms (${done} of ${kills})`)
        }
      } while (!end.summary)
      if (!isDeepStrictEqual(end.summary, expected)) {
        tell(`different state:\n${JSON.stringify(expected)}\n${JSON.stringify(end.summary)}`)
        return false
      }
    }
    tell(`the same orders, money and stock after ${done} kills (seed ${seed})`)
    return true
  } finally {
    await rm(root, { recursive: true })
  }
}

const usage = 'npm run crash -- [--orders FILE[.gz]] [--seed N] [--kills N]'

function wholeNumber(flag: string, text: string): number {
  if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text)
  throw new Error(`${flag} must be a whole number of at least 1, not ${JSON.stringify(text)}`)
}

try {
  const { values } = parseArgs({
    options: {
      orders: { type: 'string' },
      seed: { type: 'string', default: '1' },
      kills: { type: 'string', default: '20' },
    },
  })
  const input = values.orders === undefined ? [] : ['--orders', values.orders]
  const [seed, kills] = [wholeNumber('--seed', values.seed), wholeNumber('--kills', values.kills)]
  process.exitCode = (await killRepeatedly(input, seed, kills)) ? 0 : 1
} catch (cause) {
  tell(`${cause instanceof Error ? cause.message : String(cause)}\n${usage}`)
  process.exitCode = 2
}
