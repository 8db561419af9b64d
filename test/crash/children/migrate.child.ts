// Opens a directory of an older format, and kills itself at the n-th call that changes a file. Without
// a number it prints how many such calls there are.
import { embedded } from '../../../src/backends/embedded/index.ts'
import { FILE_NAMES } from '../support/kill-points.ts'
import { faultsIn } from '../support/shim.ts'

const [directory = '', path = '', nth = '0'] = process.argv.slice(2)
const faults = faultsIn(path)
const isCounting = nth === '0'
faults.plan({
  files: FILE_NAMES,
  calls: ['write', 'sync', 'truncate', 'remove', 'rename'],
  nth: isCounting ? 1 : Number(nth),
  act: isCounting ? 'delay' : 'kill',
})
const { log } = embedded({ directory })
await log.open()
await log.close()
process.stdout.write(`${JSON.stringify({ calls: faults.counts().matched })}\n`)
