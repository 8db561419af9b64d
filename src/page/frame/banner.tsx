import { TriangleAlert, Unplug } from 'lucide-react'
import type { ReactNode } from 'react'
import { visible } from '../text/visible.ts'
import type { Headline } from './headline.ts'

/** One sentence under the header, only while something is wrong. */
export function Banner({ headline: { is, detail } }: { headline: Headline }): ReactNode {
  if (is !== 'failing' && is !== 'lost') return null
  const Icon = is === 'lost' ? Unplug : TriangleAlert
  return (
    <div className="banner" data-is={is}>
      <Icon size={15} aria-hidden />
      <p>{visible(detail)}</p>
    </div>
  )
}
