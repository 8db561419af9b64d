import { runVerb } from '../control/verbs.ts'
import type { System } from '../control/system.ts'
import type { HealthReport } from '../engine/health.ts'
import { json } from '../http/response.ts'
import type { HttpRoute } from '../http/routes.ts'

const FRESH = { 'cache-control': 'no-store' }

/**
 * What a load balancer or a container's owner asks. Liveness asks whether the process answers: only a
 * restart helps where it does not. Readiness asks whether it can work: a degraded system still does,
 * and its body says what to look at.
 */
export function probeRoutes(system: System): readonly HttpRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/alive',
      run: async () => json(200, { status: 'alive' }, FRESH),
    },
    {
      method: 'GET',
      path: '/admin/health',
      async run() {
        const report = (await runVerb(system, 'health', {})) as HealthReport
        return json(report.is === 'failing' ? 503 : 200, report, FRESH)
      },
    },
  ]
}
