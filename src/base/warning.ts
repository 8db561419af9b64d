/** Different texts that one teller tells; more of them would only scroll away what matters. */
const TEXTS_MAX = 100

/** Tells each text once, as a warning of the process: on stderr, unless somebody listens. */
export function warnOnce(): (text: string) => void {
  const told = new Set<string>()
  return (text) => {
    if (told.has(text) || told.size >= TEXTS_MAX) return
    told.add(text)
    process.emitWarning(text, 'Throughline')
  }
}
