import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { extentOf, firstFailure, hold } from './model-hold.ts'
import { lastingDefects, modelDefects } from './model-planted.ts'
import { run } from './model-run.ts'
import { embeddedSubject, memorySubject } from './model-subjects.ts'

/** Fixed, so that the runs are always the same; `npm run model` makes others. */
const SEED = 20_261_121

/** More than any planted defect has needed. */
const RUNS_TO_FIND = 300
const COMMANDS_MAX = 6

test('the memory backend behaves as the model', async () => {
  await hold(memorySubject(), extentOf({ seed: SEED, runs: 200 }))
})

test('the embedded backend behaves as the model, also when reopened', async () => {
  await hold(embeddedSubject(), extentOf({ seed: SEED, runs: 60 }))
})

test('an empty run passes', async () => {
  await run([], memorySubject())
})

suite('the model finds a planted defect, and a few commands that show it', () => {
  for (const { defect, plant } of modelDefects)
    test(defect, async () => {
      const found = await firstFailure(memorySubject(plant), { seed: SEED, runs: RUNS_TO_FIND })
      assert.ok(found, `not found in ${RUNS_TO_FIND} runs`)
      assert.ok(found.commands <= COMMANDS_MAX, `${found.commands} commands`)
    })
})

suite('the model finds what the next instance does not have', () => {
  for (const { defect, plant } of lastingDefects)
    test(defect, async () => {
      const found = await firstFailure(embeddedSubject(plant), { seed: SEED, runs: 20 }, false)
      assert.ok(found, 'not found in 20 runs')
    })
})

test('defects have names of their own', () => {
  const names = [...modelDefects, ...lastingDefects].map(({ defect }) => defect)
  assert.equal(new Set(names).size, names.length)
})
