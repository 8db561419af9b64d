// A module with all exports that `throughline run` reads.
import type { App } from 'throughline'
import { command, contract, entity, event, handler, service, tool } from 'throughline'
import { route } from 'throughline/gateway'
import { z } from 'zod'

const Id = z.object({ id: z.string() })
const Ringing = contract('ringing', { key: 'id' }, { Ring: command(Id), Rang: event(Id) })

interface Bell {
  ring(): void
}

const rope = entity(
  'rope',
  { of: Ringing, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Ringing.Ring, (data) => Ringing.Rang(data))],
    evolve: (on) => [on(Ringing.Rang, (_, times) => times + 1)],
  },
)
const ringer = handler('ringer', { uses: { bell: tool<Bell>() } }, (on) => [
  on(Ringing.Rang, (_, { bell }) => bell.ring()),
])

export const services = [service('tower', { owns: [Ringing], runs: [rope, ringer] })]
let rings = 0
export const tools = { bell: { ring: (): void => void (rings += 1) } }
export const routes = [route.command('POST', '/rings', Ringing.Ring)]
export const engine = { unitRecordsMax: 16 }
export const boards = (app: App): readonly object[] => [
  { title: 'Bells', states: async () => ({ rings, services: app.describe().services.length }) },
]
