// Exports services, and keeps the process alive with a timer.
import { talking } from '../../control/talking-services.ts'

setInterval(() => undefined, 60_000)

export const services = talking
