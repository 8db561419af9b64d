// Starts a system without awaiting it, and keeps the process alive with a timer.
import { start } from 'throughline'
import { embedded } from 'throughline/embedded'
import { talking } from '../../control/talking-services.ts'

setInterval(() => undefined, 60_000)
void start(talking, embedded({ directory: 'data' })).then(() => console.log('started'))

export const services = talking
