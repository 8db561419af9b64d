import { bell } from '../base/bell.ts'
import type { Clock } from '../base/clock.ts'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import type { EventStore, Row, RowCheck, RowWrite } from '../ports/store.ts'
import type { Build } from './build.ts'
import { hasOtherSource, hasSameRows, isSame, judge } from './build.ts'
import type { Consumer, ProjectionPlan, ServicePlan } from './plan.ts'
import { rowWrite, updateRow } from './write-rows.ts'

/** The projection states of a service, by the `ruleId` of each projection. */
type BuildsRow = Readonly<Record<string, Build>>

/**
 * Stores by which definition the rows of a service's projections were made, and rebuilds them when
 * that changes.
 */
export interface Builds {
  /**
   * Loads the states. Returns an issue for each projection whose definition differs from that of
   * its rows without a higher version.
   */
  complaints(): Promise<readonly Complaint[]>
  /**
   * Loads the states.
   *
   * @throws Fault `PROJECTION_CHANGED`, such as when a newer instance has rebuilt the rows
   * meanwhile
   */
  load(): Promise<void>
  /** Stores the definitions of this code; a higher version starts a rebuild. */
  begin(): Promise<void>
  /** Changes with each write. */
  version(): number
  of(projection: string): Build | undefined
  /** Projections whose rows were made by a different source text of the same version. */
  otherSources(): readonly ProjectionPlan[]
  /**
   * Whether the live rows of a consumer take no events now: they await a rebuild, or their
   * definition is not stored yet.
   */
  isDormant(consumer: Consumer): boolean
  /** A check that makes a unit conflict if any state has changed since that version. */
  guard(version: number): RowCheck
  /**
   * The write of a changed state, as part of a unit. It applies only to the state that was loaded.
   */
  writeOf(projection: string, build: Build): RowWrite
  /** Changes a state in a unit of its own. */
  change(projection: string, update: (build: Build) => Build): Promise<void>
  /**
   * Resolves when a state was changed by this process, after `waitMs`, or when the signal aborts.
   */
  changed(waitMs: number, signal: AbortSignal): Promise<void>
}

const KEY = 'builds'

export function buildsOf(
  parts: { readonly store: EventStore; readonly clock: Clock; readonly retryDelayMs: number },
  service: ServicePlan,
): Builds {
  const { store, clock } = parts
  const { projections } = service
  const kept = keptIn(service)
  const changes = bell(clock)

  function take(row: Row | undefined): void {
    if (kept.take(row)) changes.ring()
  }

  async function read(): Promise<void> {
    if (projections.length === 0) return
    const [row] = await store.get([kept.row])
    take(row)
  }

  async function complaints(): Promise<readonly Complaint[]> {
    await read()
    return (await judged(store, service, kept.builds())).complaints
  }

  /** Another instance may change the row at the same time: then `next` is called again. */
  async function update(
    next: (builds: BuildsRow) => Promise<BuildsRow | undefined>,
  ): Promise<void> {
    const detail = `the projections of ${service.name}`
    let isWritten = false
    await updateRow(parts, kept.row, detail, async (row) => {
      take(row)
      const changed = await next(kept.builds())
      isWritten = changed !== undefined
      return changed && JSON.stringify(changed)
    })
    if (isWritten) await read()
  }

  return {
    complaints,
    async load() {
      const found = await complaints()
      const detail = 'its rows are those of another definition'
      if (found.length > 0) throw new Fault('PROJECTION_CHANGED', { detail, complaints: found })
    },
    begin: () => update(async (builds) => (await judged(store, service, builds)).next),
    version: kept.version,
    of: (projection) => kept.builds()[projection],
    otherSources: () =>
      projections.filter(({ consumer, definition }) =>
        hasOtherSource(definition, kept.builds()[consumer.ruleId]),
      ),
    isDormant({ rule, ruleId, id }) {
      if (rule.is !== 'projection') return false
      const live = kept.builds()[ruleId]?.live
      const own = projections.find(({ consumer }) => consumer.id === id)?.definition
      return !live || live.isRetired === true || !hasSameRows(live, own)
    },
    guard: (expected) => ({ ...kept.row, expected }),
    writeOf: (projection, build) => kept.writeOf({ ...kept.builds(), [projection]: build }),
    change: (projection, next) =>
      update(async (builds) => {
        const build = builds[projection]
        const changed = build && next(build)
        return changed && changed !== build ? { ...builds, [projection]: changed } : undefined
      }),
    changed: (waitMs, signal) => changes.wait(waitMs, signal),
  }
}

/**
 * The projections, as `SERVICE/PROJECTION`, whose rows are not made by their current definitions.
 */
export async function projectionsToMake(
  store: EventStore,
  services: readonly ServicePlan[],
): Promise<readonly string[]> {
  const making = services.filter(({ projections }) => projections.length > 0)
  if (making.length === 0) return []
  const rows = await store.get(making.map(({ names }) => ({ table: names.control, key: KEY })))
  return making.flatMap(({ projections }, at) => {
    const builds = JSON.parse(rows[at]?.body ?? '{}') as BuildsRow
    const isMade = ({ consumer, definition }: ProjectionPlan): boolean => {
      const live = builds[consumer.ruleId]?.live
      return live !== undefined && !live.isRetired && hasSameRows(live, definition)
    }
    return projections.filter((each) => !isMade(each)).map(({ consumer }) => consumer.name)
  })
}

/** The row with a service's projection states, as it was last read. */
function keptIn({ names }: ServicePlan) {
  const row = { table: names.control, key: KEY }
  let builds: BuildsRow = {}
  let version = 0
  return {
    row,
    builds: () => builds,
    version: () => version,
    /** Returns whether the row has changed. */
    take(found: Row | undefined): boolean {
      const before = version
      builds = found ? (JSON.parse(found.body) as BuildsRow) : {}
      version = found?.version ?? 0
      return version !== before
    },
    writeOf: (next: BuildsRow): RowWrite => rowWrite(row, { version }, JSON.stringify(next)),
  }
}

interface Judged {
  readonly complaints: readonly Complaint[]
  /** The states to store; `undefined` if nothing changes, or if there are issues. */
  readonly next: BuildsRow | undefined
}

async function judged(
  store: EventStore,
  { projections }: ServicePlan,
  builds: BuildsRow,
): Promise<Judged> {
  const changed = projections.filter(({ consumer, definition }) => {
    const live = builds[consumer.ruleId]?.live
    return live !== undefined && !isSame(live, definition)
  })
  const rows =
    changed.length > 0 ? await store.progress(changed.map((each) => each.consumer.id)) : []
  const moved = new Set(rows.map(({ consumer }) => consumer))
  const complaints: Complaint[] = []
  const next: Record<string, Build> = { ...builds }
  for (const { consumer, definition } of projections) {
    const { id, ruleId, name } = consumer
    const verdict = judge(definition, builds[ruleId], moved.has(id))
    if (typeof verdict === 'string') complaints.push({ path: name, message: verdict })
    else next[ruleId] = verdict
  }
  const isSo = projections.every(({ consumer: { ruleId } }) => next[ruleId] === builds[ruleId])
  return { complaints, next: isSo || complaints.length > 0 ? undefined : next }
}
