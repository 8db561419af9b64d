/** The result of scanning one line of a row. */
export type Scan =
  | { readonly status: 'whole'; readonly fields: readonly string[] }
  | { readonly status: 'open'; readonly fields: string[]; readonly quoted: string }
  | { readonly status: 'broken'; readonly fields: readonly string[]; readonly message: string }

/** A row with an open quote at the end of its line: its fields so far and the quoted text so far. */
export interface OpenQuote {
  readonly fields: string[]
  readonly quoted: string
}

/**
 * Scans one line with the quoting rules of RFC 4180, in one pass. `from` is the open row of the line
 * before; its array of fields is reused. A quoted field must end with a quote, and an unquoted field
 * must not contain one: otherwise the row is broken.
 */
export function scan(line: string, from?: OpenQuote): Scan {
  const fields = from?.fields ?? []
  let quoted = from?.quoted
  let at = 0
  for (;;) {
    if (quoted === undefined && line[at] !== '"') {
      const comma = line.indexOf(',', at)
      const field = comma === -1 ? line.slice(at) : line.slice(at, comma)
      if (field.includes('"')) return broken(fields, 'an unquoted field contains a quote')
      fields.push(field)
      if (comma === -1) return { status: 'whole', fields }
      at = comma + 1
      continue
    }
    if (quoted === undefined) {
      quoted = ''
      at += 1
    }
    const quote = line.indexOf('"', at)
    if (quote === -1) return { status: 'open', fields, quoted: quoted + line.slice(at) }
    quoted += line.slice(at, quote)
    at = quote + 2
    const next = line[quote + 1]
    if (next === '"') {
      quoted += '"'
      continue
    }
    if (next !== undefined && next !== ',') return broken(fields, 'text follows a closing quote')
    fields.push(quoted)
    if (next === undefined) return { status: 'whole', fields }
    quoted = undefined
  }
}

function broken(fields: readonly string[], message: string): Scan {
  return { status: 'broken', fields, message }
}

/** Formats fields as one row of RFC 4180 without a line end: the inverse of `scan`. */
export function writtenRow(fields: readonly string[]): string {
  return fields.map(writtenField).join(',')
}

function writtenField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
