import type { ReactNode } from 'react'
import { tokensOf } from './json.ts'

/** Data as indented, coloured JSON. */
export function Json({ value, label }: { value: unknown; label: string }): ReactNode {
  return (
    <pre className="json mono" tabIndex={0} role="region" aria-label={label}>
      {tokensOf(value).map(({ text, is }, index) => (
        <span key={index} data-is={is}>
          {text}
        </span>
      ))}
    </pre>
  )
}
