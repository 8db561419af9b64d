import type { ReactNode } from 'react'
import type { Rail } from './tree.ts'

const LANE = 14
/** Distance of a row's dot from its top: level with the type's name. */
const KNOT_Y = 17
const BEND = 38

const middle = (lane: number): number => lane * LANE + LANE / 2 + 1

/** The path from a dot to a lane that branches off there. */
function bendOf(from: number, to: number): string {
  return `M${from} ${KNOT_Y}C${from} ${KNOT_Y + 14} ${to} ${BEND - 14} ${to} ${BEND + 1}`
}

/** The lines beside one row. Lines that continue stretch with the height of the row. */
export function RailLines({ rail, lanes }: { rail: Rail; lanes: number }): ReactNode {
  const { lane, hasCause, continues, branches, passing } = rail
  const x = middle(lane)
  return (
    <div className="rail" style={{ width: lanes * LANE + 6 }} aria-hidden>
      {passing.map((each) => (
        <span key={each} className="rail-line" style={{ left: middle(each), top: 0, bottom: 0 }} />
      ))}
      {hasCause && <span className="rail-line" style={{ left: x, top: 0, height: KNOT_Y }} />}
      {continues && <span className="rail-line" style={{ left: x, top: KNOT_Y, bottom: 0 }} />}
      {branches.map((each) => (
        <span
          key={`below ${each}`}
          className="rail-line"
          style={{ left: middle(each), top: BEND, bottom: 0 }}
        />
      ))}
      <svg width={lanes * LANE + 6} height={BEND + 2}>
        {branches.map((each) => (
          <path key={each} className="rail-bend" d={bendOf(x, middle(each))} />
        ))}
        <circle className="rail-knot" cx={x} cy={KNOT_Y} r="4" />
      </svg>
    </div>
  )
}
