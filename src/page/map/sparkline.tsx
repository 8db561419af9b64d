import type { ReactNode } from 'react'

const SHOWN = 40
const SIZE = { width: 54, height: 18 }

/** A small chart of the last samples, without axes. */
export function Sparkline({ values }: { values: readonly number[] }): ReactNode {
  const shown = values.slice(-SHOWN)
  if (shown.length < 2) return <span className="spark" />
  const top = Math.max(1, ...shown) * 1.08
  const points = shown.map((value, index) => {
    const x = SIZE.width - ((shown.length - 1 - index) / (SHOWN - 1)) * SIZE.width
    return `${x.toFixed(1)} ${(SIZE.height - 1 - (value / top) * (SIZE.height - 2)).toFixed(1)}`
  })
  const line = `M${points.join('L')}`
  const [first = '0'] = (points[0] ?? '').split(' ')
  return (
    <svg className="spark" viewBox={`0 0 ${SIZE.width} ${SIZE.height}`} aria-hidden>
      <path
        className="spark-area"
        d={`${line}L${SIZE.width} ${SIZE.height}L${first} ${SIZE.height}Z`}
      />
      <path className="spark-line" d={line} />
    </svg>
  )
}
