// One measurement of the engine, in a process of its own.
import { offer } from './apart.ts'
import * as measures from './measures.ts'

offer({ ...measures })
