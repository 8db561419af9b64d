// Exports its services, and starts them itself shortly after the import.
import { setImmediate } from 'node:timers/promises'
import { start } from 'throughline'
import { embedded } from 'throughline/embedded'
import { talking } from '../../control/talking-services.ts'

async function main(): Promise<void> {
  await setImmediate()
  await start(talking, embedded({ directory: 'other' }))
}
void main()

export const services = talking
