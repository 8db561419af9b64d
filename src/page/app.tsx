import type { ReactNode } from 'react'
import { useEffect } from 'react'
import { Boards } from './boards/boards.tsx'
import { NewestEvents } from './events/newest-events.tsx'
import { Banner } from './frame/banner.tsx'
import { Header } from './frame/header.tsx'
import { headlineOf } from './frame/headline.ts'
import { useMedia } from './frame/use-media.ts'
import { useLive } from './live/live-provider.tsx'
import { MapSection } from './map/map-section.tsx'
import { RoutePanel } from './panel/route-panel.tsx'
import { useRoute } from './route/use-route.ts'
import { Pulse } from './pulse/pulse.tsx'
import { LoadingScreen } from './frame/loading-screen.tsx'

export function App(): ReactNode {
  const live = useLive()
  const headline = headlineOf(live)
  useEffect(() => {
    document.title = `${headline.title} · Throughline`
  }, [headline.title])
  // On a narrow screen the panel covers everything else, so make that inert.
  const isNarrow = useMedia('(max-width: 760px)')
  const isCovered = useRoute().kind !== 'overview' && isNarrow
  return (
    <>
      <Header headline={headline} isCovered={isCovered} />
      <div className="desk" data-link={live.link}>
        <main className="main" inert={isCovered}>
          <Banner headline={headline} overview={live.overview} />
          {live.overview ? (
            <>
              <MapSection overview={live.overview} />
              <div className="lower">
                <Pulse overview={live.overview} history={live.history} />
                <Boards boards={live.overview.boards} />
                <NewestEvents overview={live.overview} newest={live.newest} />
              </div>
            </>
          ) : (
            <LoadingScreen isLost={live.link === 'lost'} />
          )}
        </main>
        <RoutePanel />
      </div>
    </>
  )
}
