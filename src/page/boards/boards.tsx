import type { CSSProperties, ReactNode } from 'react'
import type { BoardView } from '../../admin/wire.ts'
import { countText } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'
import './boards.css'
import { sharesOf, shadesOf, shareText } from './state-colours.ts'

export function Boards({ boards }: { boards: readonly BoardView[] }): ReactNode {
  if (boards.length === 0) return null
  return (
    <section className="section boards" aria-label="Boards">
      {boards.map((board) => (
        <Board key={board.title} board={board} />
      ))}
    </section>
  )
}

function Board({ board: { title, states, error } }: { board: BoardView }): ReactNode {
  const shares = sharesOf(states.map(({ count }) => count))
  const shades = shadesOf(states.map(({ tone }) => tone))
  const whole = states.reduce((sum, { count }) => sum + count, 0)
  return (
    <div className="board">
      <div className="section-head">
        <h2>{showInvisible(title)}</h2>
        {error === undefined && <p className="board-whole">{countText(whole)}</p>}
      </div>
      {error !== undefined && <p className="board-error">Not available: {showInvisible(error)}</p>}
      <div className="bar" aria-hidden>
        {states.map(({ name }, index) => (
          <span
            key={name}
            data-shade={shades[index]}
            style={{ '--share': shares[index] } as CSSProperties}
            hidden={shares[index] === 0}
          />
        ))}
      </div>
      <ul className="bar-legend">
        {states.map(({ name, count }, index) => (
          <li key={name}>
            <span className="bar-key" data-shade={shades[index]} aria-hidden />
            <span className="bar-name">{showInvisible(name)}</span>
            <span className="bar-count">{countText(count)}</span>
            <span className="bar-share">{shareText(shares[index] ?? 0)}</span>
          </li>
        ))}
      </ul>
    </div>
  )
}
