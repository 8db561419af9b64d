// Moves the write-ahead log into the database, beside the thread that commits. It never waits for
// anybody: what cannot be moved yet is moved the next time.
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'

const { path } = workerData as { path: string }
const db = new DatabaseSync(path, { timeout: 0 })
db.exec('PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL')
const checkpoint = db.prepare('PRAGMA wal_checkpoint(PASSIVE)')

parentPort?.on('message', (asked: 'checkpoint' | 'close') => {
  if (asked === 'checkpoint') {
    const { log, checkpointed } = checkpoint.get() as { log: number; checkpointed: number }
    parentPort?.postMessage({ log, checkpointed }, [])
    return
  }
  db.close()
  parentPort?.close()
})
