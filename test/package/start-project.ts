// Starts a new project, sends requests to it, stops it, and checks its state after a restart.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { environment } from './run-program.ts'

const soon = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(20_000) })

interface Started {
  readonly gateway: string
  readonly page: string
}

/** The addresses that the program prints once it has started. */
async function addressesOf(stdout: Readable): Promise<Started> {
  const addresses: string[] = []
  for await (const line of createInterface({ input: stdout, ...soon() })) {
    const address = /https?:\S+/.exec(line)?.[0]
    if (address) addresses.push(address)
    const [gateway, page] = addresses
    if (gateway !== undefined && page !== undefined) return { gateway, page }
  }
  throw new Error('the program ended or timed out before it printed its addresses')
}

/** Runs the program during `use`, and stops it with SIGINT. */
async function whileRunning(
  directory: string,
  program: string,
  use: (started: Started) => Promise<void>,
): Promise<void> {
  const child = spawn(process.execPath, [program], {
    cwd: directory,
    // Any port that is free.
    env: { ...environment, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await use(await addressesOf(child.stdout))
    const ended = once(child, 'exit', soon())
    child.kill('SIGINT')
    assert.deepEqual(await ended, [0, null])
  } finally {
    child.kill('SIGKILL')
  }
}

const loan = { loanId: 'l-1', bookId: 'b-1', memberId: 'm-1' }
const post = (gateway: string, name: string, data: object): Promise<Response> =>
  fetch(new URL(`/messages/lending/${name}`, gateway), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(data),
    ...soon(),
  })

/** The open loans, once there is one: the projection lags behind the command. */
async function loansAt(gateway: string): Promise<unknown> {
  const { signal } = soon()
  for (;;) {
    signal.throwIfAborted()
    const answer = await post(gateway, 'FindLoans', { memberId: 'm-1' })
    assert.equal(answer.status, 200)
    const { loans } = (await answer.json()) as { loans: readonly unknown[] }
    if (loans.length > 0) return loans
  }
}

export async function startProject(directory: string, program: string): Promise<void> {
  const lent = [{ loanId: 'l-1', bookId: 'b-1', isOverdue: false }]
  await whileRunning(directory, program, async ({ gateway, page }) => {
    assert.equal((await post(gateway, 'Lend', loan)).status, 202)
    assert.equal((await post(gateway, 'Lend', { bookId: 'b-1' })).status, 400)
    assert.deepEqual(await loansAt(gateway), lent)
    assert.equal((await fetch(page, soon())).status, 200)
  })
  await whileRunning(directory, program, async ({ gateway }) => {
    assert.deepEqual(await loansAt(gateway), lent)
  })
}
