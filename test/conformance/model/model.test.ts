import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { runOptions, firstFailure, checkAgainstModel } from './check-backend.ts'
import { durabilityDefects, modelDefects } from './model-defects.ts'
import { runCommands } from './run-commands.ts'
import { embeddedSubject, memorySubject } from './subjects.ts'

/** Fixed, so that the runs are always the same; `npm run model` makes others. */
const SEED = 20_261_121

/** More than any planted defect has needed. */
const RUNS_TO_FIND = 300
const COMMANDS_MAX = 6

test('the memory backend behaves as the model', async () => {
  await checkAgainstModel(memorySubject(), runOptions({ seed: SEED, runs: 200 }))
})

test('the embedded backend behaves as the model, also when reopened', async () => {
  await checkAgainstModel(embeddedSubject(), runOptions({ seed: SEED, runs: 60 }))
})

test('an empty run passes', async () => {
  await runCommands([], memorySubject())
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
  for (const { defect, plant } of durabilityDefects)
    test(defect, async () => {
      const found = await firstFailure(embeddedSubject(plant), { seed: SEED, runs: 20 }, false)
      assert.ok(found, 'not found in 20 runs')
    })
})

test('defects have names of their own', () => {
  const names = [...modelDefects, ...durabilityDefects].map(({ defect }) => defect)
  assert.equal(new Set(names).size, names.length)
})
