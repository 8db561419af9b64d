// Every name that lies on the disk: of files, of tables and their columns, of keys of rows, of members
// of JSON texts, and the words by which stored things are told apart.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Below these members, names are the user's. */
const USERS = /\.(?:data|state|schema|command|rules\{\}\.topics|inHand)$/
/** Members whose values are words of ours. */
const WORDS = new Set(['is', 'kind', 'made'])

/** Sorted, each once. */
export function namesIn(root: string): readonly string[] {
  const names = new Set<string>()
  for (const path of globSync('**/*', { cwd: root })) names.add(`file ${plain(path)}`)
  for (const path of globSync('*/*.json', { cwd: root }))
    addJson(names, path, readFileSync(join(root, path), 'utf8'))
  for (const path of globSync('*/throughline.db', { cwd: root })) {
    const db = new DatabaseSync(join(root, path), { readOnly: true })
    addDatabase(names, db)
    db.close()
  }
  return [...names].toSorted()
}

/** Without what is of this one run: ids, hashes and numbers. */
function plain(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
    .replaceAll(/\b[0-9a-f]{8,}\b/g, 'HASH')
    .replaceAll(/\d+/g, '0')
}

function addDatabase(names: Set<string>, db: DatabaseSync): void {
  const rows = (sql: string): readonly Record<string, unknown>[] => db.prepare(sql).all()
  for (const pragma of ['application_id', 'user_version'])
    names.add(`${pragma} ${String(Object.values(rows(`PRAGMA ${pragma}`)[0] ?? {})[0])}`)
  for (const { sql } of rows('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL'))
    names.add(
      String(sql)
        .replaceAll(/\s+/g, ' ')
        .replaceAll(/\bt\d+/g, 'tN'),
    )
  for (const { name } of rows('SELECT name FROM meta')) names.add(`meta ${String(name)}`)
  for (const { name } of rows('SELECT name FROM idx')) names.add(`index ${String(name)}`)
  for (const { name, settings } of rows('SELECT name, settings FROM topic'))
    addJson(names, `topic ${String(name)}`, String(settings))
  for (const { consumer } of rows('SELECT consumer FROM progress'))
    names.add(`progress ${String(consumer)}`)
  for (const { resource, member } of rows('SELECT resource, member FROM lease'))
    names.add(`lease ${plain(String(resource))} of ${plain(String(member))}`)
  for (const { what } of rows('SELECT what FROM damage')) names.add(`damage ${String(what)}`)
  for (const { type, head, data, gone } of rows('SELECT type, head, data, gone FROM log')) {
    names.add(`record ${String(type)}`)
    if (head !== '') addJson(names, 'head', String(head))
    if (typeof data === 'string' && /refused|failed/i.test(String(type)))
      addJson(names, `record ${String(type)}`, data)
    if (typeof gone === 'string') names.add(`gone ${plain(gone)}`)
  }
  for (const { id, name } of rows('SELECT id, name FROM tbl'))
    addTable(names, db, Number(id), String(name))
}

/** Rows of projections are the user's; of the others both keys and bodies are ours. */
function addTable(names: Set<string>, db: DatabaseSync, id: number, table: string): void {
  names.add(`table ${table}`)
  for (const { key, body } of db
    .prepare(`SELECT key, body FROM t${id} WHERE version > 0`)
    .iterate()) {
    const text = String(body)
    if (!/^\{"(?:customer|total|n)"|^[\d"]/.test(text)) {
      names.add(`key ${table} ${plain(String(key))}`)
      addJson(names, `row ${table}`, text)
    }
  }
}

function addJson(names: Set<string>, what: string, text: string): void {
  addValue(names, what, JSON.parse(text))
}

function addValue(names: Set<string>, path: string, value: unknown): void {
  if (Array.isArray(value)) {
    for (const each of value) addValue(names, `${path}[]`, each)
    return
  }
  if (typeof value !== 'object' || value === null) {
    const word = path.slice(path.lastIndexOf('.') + 1)
    names.add(WORDS.has(word) ? `${path} ${String(value)}` : path)
    return
  }
  if (USERS.test(path)) {
    names.add(path)
    return
  }
  for (const [name, member] of Object.entries(value)) addValue(names, `${path}.${name}`, member)
}
