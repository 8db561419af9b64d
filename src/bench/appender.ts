import type { App, Message } from '../index.ts'

/** Appends readings to the log. The only place that knows which call of the app does it. */
export interface Appender {
  /** Resolves once all are stored. @throws Error where one of them is not */
  append(messages: readonly Message[]): Promise<void>
}

export function createAppender(app: App): Appender {
  return {
    async append(messages) {
      const answers = await app.append(messages)
      const other = answers.find((answer) => answer.status !== 'stored')
      if (other) throw new Error(`an event was not stored: ${JSON.stringify(other)}`)
    },
  }
}
