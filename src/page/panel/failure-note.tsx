import type { ReactNode } from 'react'
import type { RequestFailure } from '../live/api.ts'

/** A failed request, with its issues. */
export function FailureNote({
  refused: { reason, issues },
}: {
  refused: RequestFailure
}): ReactNode {
  return (
    <div className="note" role="alert">
      <p>{reason}</p>
      {issues.length > 0 && (
        <ul className="note-complaints" aria-label="Issues">
          {issues.map(({ path, message }) => (
            <li key={`${path} ${message}`}>{`${path} ${message}`}</li>
          ))}
        </ul>
      )}
    </div>
  )
}
