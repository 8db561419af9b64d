// A foreign reader: holds a read transaction open on the database of a directory until it is told to
// let go, as a tool of somebody else may.
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'

const [path = ''] = process.argv.slice(2)
const db = new DatabaseSync(path, { readOnly: true })
db.exec('BEGIN')
db.prepare('SELECT count(*) FROM log').get()
process.stdout.write('{"is":"holding"}\n')
for await (const _ of createInterface(process.stdin)) break
db.exec('COMMIT')
db.close()
process.stdout.write('{"is":"gone"}\n')
