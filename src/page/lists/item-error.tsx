import type { ReactNode } from 'react'
import { withoutCode } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'

/** The code of an error, if it has one, and its text. */
export function ItemError(error: { code?: string | undefined; message: string }): ReactNode {
  const { code } = error
  return (
    <p className="item-error">
      {code !== undefined && <code>{showInvisible(code)}</code>}
      {showInvisible(withoutCode(error)) || 'no text'}
    </p>
  )
}
