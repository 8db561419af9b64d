import { CornerDownLeft, Radio, Timer } from 'lucide-react'
import type { ReactNode } from 'react'
import { waitLines } from '../../admin/wait-lines.ts'
import type { WaitsFor } from '../../admin/wire.ts'
import { waitsText } from './waits-text.ts'

const ICONS = { timer: Timer, answer: CornerDownLeft, event: Radio } as const

/** What an operation or a saga waits for, one item per line. */
export function Waits({
  waitsFor,
  now,
}: {
  readonly waitsFor: readonly WaitsFor[]
  readonly now: number
}): ReactNode {
  if (waitsFor.length === 0) return null
  return (
    <ul className="waits" aria-label="Waits for">
      {waitLines(waitsFor).map((line, index) => {
        const { waits: each } = line
        const Icon = ICONS[each.kind]
        const isHeld = each.kind !== 'timer' && each.heldBy !== undefined
        return (
          <li key={index} data-is-held={isHeld}>
            <Icon size={12} aria-hidden />
            {isHeld ? (
              <a className="link" href={`#/held?${new URLSearchParams({ consumer: each.heldBy })}`}>
                {waitsText(line, now)}
              </a>
            ) : (
              <span>{waitsText(line, now)}</span>
            )}
          </li>
        )
      })}
    </ul>
  )
}
