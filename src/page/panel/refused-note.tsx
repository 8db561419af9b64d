import type { ReactNode } from 'react'
import type { Refused } from '../live/api.ts'

/** A failed request, with its issues. */
export function RefusedNote({ refused: { reason, complaints } }: { refused: Refused }): ReactNode {
  return (
    <div className="note" role="alert">
      <p>{reason}</p>
      {complaints.length > 0 && (
        <ul className="note-complaints" aria-label="Issues">
          {complaints.map((each) => (
            <li key={each}>{each}</li>
          ))}
        </ul>
      )}
    </div>
  )
}
