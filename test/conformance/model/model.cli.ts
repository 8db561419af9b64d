// Compares both backends with the model in more runs than the tests.
//
//   npm run model -- [--runs N] [--seed N] [--backend memory|embedded]
import { parseArgs } from 'node:util'
import { runOptions, checkAgainstModel } from './check-backend.ts'
import { embeddedSubject, memorySubject } from './subjects.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string' },
    seed: { type: 'string' },
    backend: { type: 'string' },
  },
})
const asked = runOptions({ seed: Number(process.hrtime.bigint() % 2n ** 31n), runs: 1_000 })
const seed = Number(values.seed ?? asked.seed)
const runs = Number(values.runs ?? asked.runs)
const tell = (text: string): void => void process.stdout.write(`${text}\n`)

for (const [name, open] of Object.entries({
  memory: memorySubject(),
  embedded: embeddedSubject(),
})) {
  if (values.backend !== undefined && values.backend !== name) continue
  tell(`${name}: ${runs} runs of seed ${seed}`)
  const began = performance.now()
  await checkAgainstModel(open, { seed, runs })
  tell(`${name}: holds, ${Math.round(performance.now() - began)} ms`)
}
