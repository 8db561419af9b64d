import { printableLines } from './printable.ts'

/** Different texts that one teller tells; more of them would only scroll away what matters. */
const TEXTS_MAX = 100

/**
 * Tells each text once, as a warning of the process: on stderr, unless somebody listens. The first
 * line says what it is; further ones, such as a stack or a time, may differ from time to time. What
 * others have sent or thrown steers no terminal.
 */
export function warnOnce(): (text: string) => void {
  const told = new Set<string>()
  return (text) => {
    const [about = ''] = text.split('\n', 1)
    if (told.has(about) || told.size >= TEXTS_MAX) return
    told.add(about)
    process.emitWarning(printableLines(text), 'Throughline')
  }
}
