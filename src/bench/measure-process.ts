// Runs each measurement in a process of its own, so that heap, caches and compiled code of one do not
// affect another.
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Measures by name: each takes its options and returns its metrics. */
export type Measures = Readonly<Record<string, (options: never) => Promise<unknown>>>

interface MeasureRequest {
  readonly name: string
  readonly options: unknown
}

type MeasureReport =
  | { readonly status: 'done'; readonly value: unknown }
  | { readonly status: 'failed'; reason: string }

/**
 * Starts a program with flags of Node.js, runs one of its measures, and returns the result.
 *
 * @throws Error with the error of the measure, or with the exit code if the program reports nothing
 */
export async function measureInProcess<T>(
  program: URL,
  name: string,
  options: unknown,
  flags: readonly string[] = [],
): Promise<T> {
  const child = fork(fileURLToPath(program), [], { execArgv: [...flags] })
  try {
    child.send({ name, options } satisfies MeasureRequest)
    const report = await reportOf(child, name)
    if (report.status === 'failed') throw new Error(report.reason)
    return report.value as T
  } finally {
    await killAndWait(child)
  }
}

async function reportOf(child: ChildProcess, name: string): Promise<MeasureReport> {
  const gone = once(child, 'exit').then(([code, signal]): MeasureReport => {
    return {
      status: 'failed',
      reason: `${name} exited with ${String(signal ?? code)} without a report`,
    }
  })
  return Promise.race([gone, once(child, 'message').then(([report]) => report as MeasureReport)])
}

async function killAndWait(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

/** In the child process: waits for a request, measures, reports. The caller then ends the process. */
export function serveMeasures(measures: Measures): void {
  process.once('message', (order) => {
    const { name, options } = order as MeasureRequest
    void runMeasure(measures, name, options).then((report) => process.send?.(report))
  })
  process.once('disconnect', () => process.exit(0))
}

async function runMeasure(
  measures: Measures,
  name: string,
  options: unknown,
): Promise<MeasureReport> {
  try {
    const measure = measures[name]
    if (!measure) throw new Error(`there is no measure named ${name}`)
    return { status: 'done', value: await measure(options as never) }
  } catch (cause) {
    return {
      status: 'failed',
      reason: cause instanceof Error ? (cause.stack ?? '') : String(cause),
    }
  }
}
