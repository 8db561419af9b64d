/** What one line of text came to, after those that went before it in its row. */
export type Scan =
  | { readonly is: 'whole'; readonly fields: readonly string[] }
  | { readonly is: 'open'; readonly fields: string[]; readonly quoted: string }
  | { readonly is: 'broken'; readonly fields: readonly string[]; readonly message: string }

/** What a row still has open when its line ends: the fields so far, and the text of the next. */
export interface OpenQuote {
  readonly fields: string[]
  readonly quoted: string
}

/**
 * Reads one line by the quoting of RFC 4180, in one pass. `from` is what the line before left open;
 * its fields are taken over. A text that begins with a quote ends with one, and no other text holds
 * any: else the row is broken.
 */
export function scan(line: string, from?: OpenQuote): Scan {
  const fields = from?.fields ?? []
  let quoted = from?.quoted
  let at = 0
  for (;;) {
    if (quoted === undefined && line[at] !== '"') {
      const comma = line.indexOf(',', at)
      const field = comma === -1 ? line.slice(at) : line.slice(at, comma)
      if (field.includes('"')) return broken(fields, 'a quote stands in a text without quotes')
      fields.push(field)
      if (comma === -1) return { is: 'whole', fields }
      at = comma + 1
      continue
    }
    if (quoted === undefined) {
      quoted = ''
      at += 1
    }
    const quote = line.indexOf('"', at)
    if (quote === -1) return { is: 'open', fields, quoted: quoted + line.slice(at) }
    quoted += line.slice(at, quote)
    at = quote + 2
    const next = line[quote + 1]
    if (next === '"') {
      quoted += '"'
      continue
    }
    if (next !== undefined && next !== ',') return broken(fields, 'text follows a closing quote')
    fields.push(quoted)
    if (next === undefined) return { is: 'whole', fields }
    quoted = undefined
  }
}

function broken(fields: readonly string[], message: string): Scan {
  return { is: 'broken', fields, message }
}

/** Writes fields as one row by RFC 4180, without a line end: the way back of `scan`. */
export function writtenRow(fields: readonly string[]): string {
  return fields.map(writtenField).join(',')
}

function writtenField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
