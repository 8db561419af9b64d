// The frame of the programs in this folder: integer flags, one line of JSON as the result, and an exit
// code.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

type Numbers = Readonly<Record<string, number>>

// Hundreds of processes load the same modules, so cache their compilation.
process.env['NODE_COMPILE_CACHE'] ??= resolve('node_modules', '.cache', 'throughline')

/** Runs with the given numbers. Exit code 0 for success, 1 for failure, 2 for a wrong flag. */
export async function runProgram<const N extends Numbers>(
  initial: N,
  run: (
    numbers: Readonly<Record<keyof N, number>>,
    onProgress: (text: string) => void,
  ) => Promise<{ readonly isWell: boolean }>,
): Promise<void> {
  const onProgress = (text: string): void => void process.stderr.write(`${text}\n`)
  const options = Object.fromEntries(
    Object.keys(initial).map((name) => [name, { type: 'string' as const }]),
  )
  let numbers: Record<keyof N, number>
  try {
    const { values } = parseArgs({ options })
    numbers = { ...initial }
    for (const [name, text] of Object.entries(values)) {
      if (!/^\d{1,9}$/.test(text ?? '')) throw new Error(`--${name} takes a whole number`)
      numbers[name as keyof N] = Number(text)
    }
  } catch (cause) {
    onProgress(cause instanceof Error ? cause.message : String(cause))
    process.exitCode = 2
    return
  }
  const { isWell, ...result } = await run(numbers, onProgress)
  process.stdout.write(`${JSON.stringify({ isWell, ...numbers, ...result })}\n`)
  process.exitCode = isWell ? 0 : 1
}
