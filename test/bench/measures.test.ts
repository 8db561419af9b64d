// Every measure of the engine, for a short time.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { suite, test } from 'node:test'
import { measureInProcess } from '../../src/bench/measure-process.ts'
import { ENGINE_PROGRAM, ENGINE_MEASUREMENTS } from '../../src/bench/engine.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import * as measures from '../../src/bench/measures.ts'
import { createScratchDirectory } from '../../src/bench/scratch-directory.ts'

const SHORT = { seconds: 0.2, warmUpSeconds: 0.05, backlogMax: 500 }
const offered = measures as unknown as Readonly<
  Record<string, (options: object) => Promise<Metrics>>
>

suite('a measurement of the engine returns its metrics', () => {
  for (const { name, measure, options, latency } of ENGINE_MEASUREMENTS)
    test(name, async () => {
      using place = createScratchDirectory(tmpdir())
      const figures = await offered[measure]?.({ ...options, ...SHORT, directory: place.path })
      assert.ok(figures)
      for (const [figure, value] of Object.entries(figures))
        assert.ok(Number.isFinite(value) && value >= 0, `${figure} is ${value}`)
      assert.ok((figures['perSecond'] ?? 0) > 0)
      if (latency === undefined) return
      const [p50 = 0, p99 = 0, longest = 0] = ['P50Ms', 'P99Ms', 'MaxMs'].map(
        (part) => figures[latency + part] ?? Number.NaN,
      )
      assert.ok(p50 > 0 && p50 <= p99 && p99 <= longest, `${p50}, ${p99}, ${longest}`)
    })
})

suite('a measure in a process of its own', () => {
  test('returns its metrics', async () => {
    using place = createScratchDirectory(tmpdir())
    const options = { directory: place.path, seconds: 0.05 }
    const { perSecond = 0 } = await measureInProcess<Metrics>(ENGINE_PROGRAM, 'sync', options)
    assert.ok(perSecond > 0)
  })

  test('throws its error in the caller', async () => {
    using place = createScratchDirectory(tmpdir())
    const missing = { directory: `${place.path}/missing`, seconds: 0.05 }
    await assert.rejects(measureInProcess(ENGINE_PROGRAM, 'sync', missing), /ENOENT/)
    await assert.rejects(
      measureInProcess(ENGINE_PROGRAM, 'nonsense', {}),
      /no measure named nonsense/,
    )
  })

  test('reports an exit without a result', async () => {
    const program = new URL('dying.ts', import.meta.url)
    await assert.rejects(measureInProcess(program, 'die', {}), /die exited with 7 without a report/)
  })
})

test('a scratch directory is removed with its content', () => {
  let path = ''
  {
    using place = createScratchDirectory(tmpdir())
    path = place.path
    mkdirSync(`${path}/some/folder`, { recursive: true })
  }
  assert.ok(!existsSync(path))
})
