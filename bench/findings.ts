// Limits of a bench, and what was found.

export interface Finding {
  readonly what: string
  readonly found: number
  readonly limit: { readonly min: number } | { readonly max: number }
}

const isKept = ({ found, limit }: Finding): boolean =>
  'min' in limit ? found >= limit.min : found <= limit.max

const limitText = ({ limit }: Finding): string =>
  'min' in limit ? `at least ${limit.min}` : `at most ${limit.max}`

/** Prints findings, and sets exit code 1 if a limit is missed. */
export function reportFindings(findings: readonly Finding[]): void {
  for (const finding of findings) {
    const { what, found } = finding
    const text = Number.isInteger(found) ? String(found) : found.toFixed(2)
    console.log(`${isKept(finding) ? 'met   ' : 'MISSED'}  ${what}: ${text}, ${limitText(finding)}`)
  }
  if (!findings.every(isKept)) process.exitCode = 1
}
