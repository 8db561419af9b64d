import { printableLines } from '../text/printable.ts'

/** Different warnings that are emitted at most, so that they do not flood the terminal. */
const TEXTS_MAX = 100

/**
 * Returns a function that emits each text once as a warning of the process, which Node prints on
 * stderr. Texts with the same first line count as the same; further lines, such as a stack or a time,
 * may differ. Control characters are escaped.
 */
export function createWarnOnce(): (text: string) => void {
  const warned = new Set<string>()
  return (text) => {
    const [firstLine = ''] = text.split('\n', 1)
    if (warned.has(firstLine) || warned.size >= TEXTS_MAX) return
    warned.add(firstLine)
    process.emitWarning(printableLines(text), 'Throughline')
  }
}
