// One measurement of the engine, in a process of its own.
import { serveMeasures } from './measure-process.ts'
import * as measures from './measures.ts'

serveMeasures({ ...measures })
