import { once } from 'node:events'
import { connect } from 'node:net'

const ANSWER_MS_MAX = 2_000

/**
 * Sends a request to a server and checks its answer.
 *
 * @throws Error if it does not listen, or answers something else
 */
export async function expectAnswer(
  port: number,
  question: string,
  expected: RegExp,
): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  const signal = AbortSignal.timeout(ANSWER_MS_MAX)
  try {
    await once(socket, 'connect', { signal })
    if (question !== '') socket.write(question)
    const [answer] = (await once(socket, 'data', { signal })) as [Buffer]
    const text = answer.toString('latin1')
    if (!expected.test(text)) throw new Error(`port ${port} answered ${text}`)
  } finally {
    socket.destroy()
  }
}

/** @throws Error if nothing listens on the port */
export async function expectListening(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(ANSWER_MS_MAX) })
  } finally {
    socket.destroy()
  }
}
