import type { ReactNode } from 'react'
import { tokensOf } from './json-tokens.ts'

/** Data as indented, coloured JSON. */
export function JsonView({ value, label }: { value: unknown; label: string }): ReactNode {
  return (
    <pre className="json mono" tabIndex={0} role="region" aria-label={label}>
      {tokensOf(value).map(({ text, kind }, index) => (
        <span key={index} data-is={kind}>
          {text}
        </span>
      ))}
    </pre>
  )
}
