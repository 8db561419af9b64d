/** Receives one line without its LF; a CR may remain at its end. Of an over-long line, its head. */
export type LineTaker = (line: string, isCut: boolean) => void

export interface LineReader {
  /** Reads the next chunk of text, split at any place. */
  read(text: string): void
  /** Ends the text; the rest is the last line. */
  end(): void
}

/**
 * Splits text into lines at LF and removes a leading BOM. It buffers at most `lengthMax` characters: of
 * a longer line, only the first `headLength` characters are passed on.
 */
export function lineReader(lengthMax: number, headLength: number, take: LineTaker): LineReader {
  let rest = ''
  let isCut = false
  let hasBegun = false

  function endLine(piece: string): void {
    const line = isCut ? rest : rest + piece
    const isLong = isCut || line.length > lengthMax
    rest = ''
    isCut = false
    take(isLong ? line.slice(0, headLength) : line, isLong)
  }

  return {
    read(text: string): void {
      let at = !hasBegun && text.startsWith('\ufeff') ? 1 : 0
      hasBegun ||= text !== ''
      for (;;) {
        const lineEnd = text.indexOf('\n', at)
        if (lineEnd === -1) break
        endLine(text.slice(at, lineEnd))
        at = lineEnd + 1
      }
      if (!isCut) rest += text.slice(at)
      if (rest.length <= lengthMax) return
      isCut = true
      rest = rest.slice(0, headLength)
    },
    end(): void {
      if (isCut || rest !== '') endLine('')
    },
  }
}
