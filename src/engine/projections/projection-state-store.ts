import { createNotifier } from '../../base/time/notifier.ts'
import type { Clock } from '../../base/time/clock.ts'
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { EventStore, Row, RowCheck, RowWrite } from '../../ports/event-store.ts'
import type { ProjectionState, Consumer, ProjectionPlan, ServicePlan } from '../plan/index.ts'
import {
  hasOtherSource,
  hasSameRows,
  isSameDefinition,
  nextProjectionState,
} from '../plan/index.ts'
import { rowWrite, updateRow } from '../rows/index.ts'

/** The projection states of a service, by the `ruleId` of each projection. */
type ProjectionStatesRow = Readonly<Record<string, ProjectionState>>

/**
 * Stores by which definition the rows of a service's projections were made, and rebuilds them when
 * that changes.
 */
export interface ProjectionStateStore {
  /**
   * Loads the states. Returns an issue for each projection whose definition differs from that of
   * its rows without a higher version.
   */
  findIssues(): Promise<readonly Issue[]>
  /**
   * Loads the states.
   *
   * @throws Fault `PROJECTION_CHANGED`, such as when a newer instance has rebuilt the rows
   * meanwhile
   */
  load(): Promise<void>
  /** Stores the definitions of this code; a higher version starts a rebuild. */
  applyDefinitions(): Promise<void>
  /** Changes with each write. */
  version(): number
  get(ruleId: string): ProjectionState | undefined
  /** Projections whose rows were made by a different source text of the same version. */
  otherSources(): readonly ProjectionPlan[]
  /**
   * Whether the live rows of a consumer take no events now: they await a rebuild, or their
   * definition is not stored yet.
   */
  isAwaitingRebuild(consumer: Consumer): boolean
  /** A check that makes a unit conflict if any state has changed since that version. */
  versionCheck(version: number): RowCheck
  /**
   * The write of a changed state, as part of a unit. It applies only to the state that was loaded.
   */
  createWrite(ruleId: string, build: ProjectionState): RowWrite
  /** Changes a state in a unit of its own. */
  edit(ruleId: string, update: (build: ProjectionState) => ProjectionState): Promise<void>
  /**
   * Resolves when a state was changed by this process, after `waitMs`, or when the signal aborts.
   */
  waitForChange(waitMs: number, signal: AbortSignal): Promise<void>
}

const KEY = 'builds'

export function createProjectionStateStore(
  parts: { readonly store: EventStore; readonly clock: Clock; readonly retryDelayMs: number },
  service: ServicePlan,
): ProjectionStateStore {
  const { store, clock } = parts
  const { projections } = service
  const statesOf = statesRow(service)
  const changes = createNotifier(clock)

  function take(row: Row | undefined): void {
    if (statesOf.take(row)) changes.notify()
  }

  async function read(): Promise<void> {
    if (projections.length === 0) return
    const [row] = await store.get([statesOf.row])
    take(row)
  }

  async function issues(): Promise<readonly Issue[]> {
    await read()
    return (await evaluate(store, service, statesOf.states())).issues
  }

  /** Another instance may change the row at the same time: then `next` is called again. */
  async function update(
    next: (builds: ProjectionStatesRow) => Promise<ProjectionStatesRow | undefined>,
  ): Promise<void> {
    const detail = `the projections of ${service.name}`
    let isWritten = false
    await updateRow(parts, statesOf.row, detail, async (row) => {
      take(row)
      const changed = await next(statesOf.states())
      isWritten = changed !== undefined
      return changed && JSON.stringify(changed)
    })
    if (isWritten) await read()
  }

  return {
    findIssues: issues,
    async load() {
      const [found, detail] = [await issues(), 'its rows are those of another definition']
      if (found.length > 0) throw new Fault('PROJECTION_CHANGED', { detail, issues: found })
    },
    applyDefinitions: () => update(async (builds) => (await evaluate(store, service, builds)).next),
    version: statesOf.version,
    get: (projection) => statesOf.states()[projection],
    otherSources: () =>
      projections.filter(({ consumer, definition }) =>
        hasOtherSource(definition, statesOf.states()[consumer.ruleId]),
      ),
    isAwaitingRebuild({ rule, ruleId, id }) {
      if (rule.kind !== 'projection') return false
      const live = statesOf.states()[ruleId]?.live
      const own = projections.find(({ consumer }) => consumer.id === id)?.definition
      return !live || live.isRetired === true || !hasSameRows(live, own)
    },
    versionCheck: (expected) => ({ ...statesOf.row, expected }),
    createWrite: (projection, build) =>
      statesOf.createWrite({ ...statesOf.states(), [projection]: build }),
    edit: (projection, next) =>
      update(async (builds) => {
        const build = builds[projection]
        const changed = build && next(build)
        return changed && changed !== build ? { ...builds, [projection]: changed } : undefined
      }),
    waitForChange: (waitMs, signal) => changes.wait(waitMs, signal),
  }
}

/**
 * The projections, as `SERVICE/PROJECTION`, whose rows are not made by their current definitions.
 */
export async function findStaleProjections(
  store: EventStore,
  services: readonly ServicePlan[],
): Promise<readonly string[]> {
  const making = services.filter(({ projections }) => projections.length > 0)
  if (making.length === 0) return []
  const rows = await store.get(
    making.map(({ tableNames }) => ({ table: tableNames.control, key: KEY })),
  )
  return making.flatMap(({ projections }, at) => {
    const builds = JSON.parse(rows[at]?.body ?? '{}') as ProjectionStatesRow
    const isMade = ({ consumer, definition }: ProjectionPlan): boolean => {
      const live = builds[consumer.ruleId]?.live
      return live !== undefined && !live.isRetired && hasSameRows(live, definition)
    }
    return projections.filter((each) => !isMade(each)).map(({ consumer }) => consumer.name)
  })
}

/** The row with a service's projection states, as it was last read. */
function statesRow({ tableNames }: ServicePlan) {
  const row = { table: tableNames.control, key: KEY }
  let states: ProjectionStatesRow = {}
  let version = 0
  return {
    row,
    states: () => states,
    version: () => version,
    /** Returns whether the row has changed. */
    take(found: Row | undefined): boolean {
      const before = version
      states = found ? (JSON.parse(found.body) as ProjectionStatesRow) : {}
      version = found?.version ?? 0
      return version !== before
    },
    createWrite: (next: ProjectionStatesRow): RowWrite =>
      rowWrite(row, { version }, JSON.stringify(next)),
  }
}

interface Evaluation {
  readonly issues: readonly Issue[]
  /** The states to store; `undefined` if nothing changes, or if there are issues. */
  readonly next: ProjectionStatesRow | undefined
}

async function evaluate(
  store: EventStore,
  { projections }: ServicePlan,
  builds: ProjectionStatesRow,
): Promise<Evaluation> {
  const changed = projections.filter(({ consumer, definition }) => {
    const live = builds[consumer.ruleId]?.live
    return live !== undefined && !isSameDefinition(live, definition)
  })
  const rows =
    changed.length > 0 ? await store.progress(changed.map((each) => each.consumer.id)) : []
  const moved = new Set(rows.map(({ consumer }) => consumer))
  const issues: Issue[] = []
  const next: Record<string, ProjectionState> = { ...builds }
  for (const { consumer, definition } of projections) {
    const { id, ruleId, name } = consumer
    const verdict = nextProjectionState(definition, builds[ruleId], moved.has(id))
    if (typeof verdict === 'string') issues.push({ path: name, message: verdict })
    else next[ruleId] = verdict
  }
  const isSo = projections.every(({ consumer: { ruleId } }) => next[ruleId] === builds[ruleId])
  return { issues, next: isSo || issues.length > 0 ? undefined : next }
}
