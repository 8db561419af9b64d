import { once } from 'node:events'
import { connect } from 'node:net'

const ANSWER_MS_MAX = 2_000

/**
 * Says something to a server and waits for what it says.
 *
 * @throws Error where it does not listen, or says something else
 */
export async function answers(port: number, question: string, expected: RegExp): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  const signal = AbortSignal.timeout(ANSWER_MS_MAX)
  try {
    await once(socket, 'connect', { signal })
    if (question !== '') socket.write(question)
    const [answer] = (await once(socket, 'data', { signal })) as [Buffer]
    const text = answer.toString('latin1')
    if (!expected.test(text)) throw new Error(`port ${port} says ${text}`)
  } finally {
    socket.destroy()
  }
}

/** @throws Error where nobody listens */
export async function listens(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(ANSWER_MS_MAX) })
  } finally {
    socket.destroy()
  }
}
