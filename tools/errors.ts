// Writes docs/errors.md, the page of all faults and problems, from the tables in the source.
//
//   node tools/node.mjs tools/errors.ts
import { writeFileSync } from 'node:fs'
import type { FaultCode } from '../src/base/fault.ts'
import { FAULTS } from '../src/base/fault.ts'
import type { ProblemCode } from '../src/http/problem.ts'
import { FAULT_STATUS, PROBLEMS, problem } from '../src/http/problem.ts'

export const page: URL = new URL('../docs/errors.md', import.meta.url)

const damages = Object.entries(FAULT_STATUS)
  .filter(([, status]) => status === PROBLEMS.INTERNAL.status)
  .map(([code]) => `\`${code}\``)
  .join(', ')

const HEAD = `# Errors

Made by \`node tools/node.mjs tools/errors.ts\` from \`src/base/fault.ts\` and
\`src/http/problem.ts\`: edit those.

A **refusal** is no error: it is an owner's answer, it is stored, and it is returned. A **fault** is
thrown: something is broken, or was called wrongly. Its \`code\` is stable, so programs may compare
it; \`complaints\` say all that is wrong at once, \`ids\` name what to look up, and the message ends
with the cure. Where \`retryable\` is true, the same call may go well later; a command that is sent
again with its own id takes effect once.

\`\`\`ts
import { contract, Fault } from 'throughline'

try {
  contract('Shop', { key: '' }, {})
} catch (cause) {
  if (!(cause instanceof Fault)) throw cause
  console.log(cause.code, cause.retryable, cause.complaints.map(({ path }) => path))
}
\`\`\`

\`\`\`text
CONTRACT_INVALID false [ 'name', 'key' ]
\`\`\`

## Faults

HTTP is the status with which a gateway answers; 500 tells the client no more than an id, under
which the server reports the rest. Of damage it tells what is damaged:
${damages}.

| Code | Means | Again? | HTTP | What to do |
|---|---|---|---|---|
`

const MIDDLE = `
## Problems

What only HTTP knows. Gateways answer with these codes as \`application/problem+json\`, beside
those above; where "Again?" says yes, the answer has a \`Retry-After\`.
[gateway.md](gateway.md) has both by status.

| Code | Status | Means | Again? |
|---|---|---|---|
`

const yesOrNo = (isYes: boolean): string => (isYes ? 'yes' : 'no')

/** The page as it must be. */
export function errorsPage(): string {
  const faults = (Object.keys(FAULTS) as FaultCode[]).toSorted().map((code) => {
    const { meaning, retryable, cure } = FAULTS[code]
    const status = FAULT_STATUS[code] ?? PROBLEMS.INTERNAL.status
    return `| \`${code}\` | ${meaning} | ${yesOrNo(retryable)} | ${status} | ${cure} |\n`
  })
  const problems = (Object.keys(PROBLEMS) as ProblemCode[]).toSorted().map((code) => {
    const { status, title } = PROBLEMS[code]
    const isRetried = problem(code, { detail: '' }).headers.has('retry-after')
    return `| \`${code}\` | ${status} | ${title} | ${yesOrNo(isRetried)} |\n`
  })
  return [HEAD, ...faults, MIDDLE, ...problems].join('')
}

if (import.meta.main) writeFileSync(page, errorsPage())
