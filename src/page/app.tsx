import type { ReactNode } from 'react'
import { useEffect } from 'react'
import { Boards } from './boards/boards.tsx'
import { Newest } from './events/newest.tsx'
import { Banner } from './frame/banner.tsx'
import { Header } from './frame/header.tsx'
import { headlineOf } from './frame/headline.ts'
import { useLive } from './live/live.tsx'
import { MapSection } from './map/map-section.tsx'
import { Panels } from './panel/panels.tsx'
import { Pulse } from './pulse/pulse.tsx'
import { Waiting } from './frame/waiting.tsx'

export function App(): ReactNode {
  const live = useLive()
  const headline = headlineOf(live)
  useEffect(() => {
    document.title = `${headline.title} · Throughline`
  }, [headline.title])
  return (
    <>
      <Header headline={headline} />
      <div className="desk" data-link={live.link}>
        <main className="main">
          <Banner headline={headline} />
          {live.overview ? (
            <>
              <MapSection overview={live.overview} />
              <div className="lower">
                <Pulse overview={live.overview} history={live.history} />
                <Boards boards={live.overview.boards} />
                <Newest overview={live.overview} newest={live.newest} />
              </div>
            </>
          ) : (
            <Waiting isLost={live.link === 'lost'} />
          )}
        </main>
        <Panels />
      </div>
    </>
  )
}
