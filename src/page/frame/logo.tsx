import type { ReactNode } from 'react'

/** The logo: a line through two stops. */
export function Logo({ width }: { width: number }): ReactNode {
  return (
    <svg width={width} height={(width * 2) / 3} viewBox="0 0 30 20" fill="none" aria-hidden>
      <path className="mark-line" d="M1 14.5h8.2c4 0 4.4-9 8.6-9H29" />
      <circle className="mark-stop" cx="7" cy="14.5" r="3" />
      <circle className="mark-stop" cx="22" cy="5.5" r="3" />
    </svg>
  )
}
