// Holds a read transaction open on the database of a directory, as a foreign tool may, until it reads
// a line.
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'

const [path = ''] = process.argv.slice(2)
const db = new DatabaseSync(path, { readOnly: true })
db.exec('BEGIN')
db.prepare('SELECT count(*) FROM log').get()
process.stdout.write('{"status":"holding"}\n')
for await (const _ of createInterface(process.stdin)) break
db.exec('COMMIT')
db.close()
process.stdout.write('{"status":"released"}\n')
