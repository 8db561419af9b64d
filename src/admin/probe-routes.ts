import { runVerb } from '../control/verbs.ts'
import type { System } from '../control/system.ts'
import type { HealthReport } from '../engine/operations/index.ts'
import { json } from '../http/response.ts'
import type { HttpRoute } from '../http/routes.ts'

const NO_STORE = { 'cache-control': 'no-store' }

/**
 * Liveness and readiness probes. `/admin/alive` says that the process answers; if it does not, restart
 * it. `/admin/health` says whether the system works: 503 if it fails. A degraded system still works,
 * and the body lists its alarms.
 */
export function probeRoutes(system: System): readonly HttpRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/alive',
      run: async () => json(200, { status: 'alive' }, NO_STORE),
    },
    {
      method: 'GET',
      path: '/admin/health',
      async run() {
        const report = (await runVerb(system, 'health', {})) as HealthReport
        return json(report.status === 'failing' ? 503 : 200, report, NO_STORE)
      },
    },
  ]
}
