/** The longest text that is useful as an example. */
const LENGTH_MAX = 256

const ASCII = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at))
/** Candidates for a character class, tried in this order. */
const CHARACTERS = ['a', 'A', '1', '-', ...ASCII, 'é']

/** The position while a regular expression is read. */
interface Reading {
  readonly source: string
  at: number
}

/**
 * A text that matches a pattern of groups, alternatives, character classes and quantifiers. `undefined`
 * if none is found, for example for patterns with lookaround or backreferences.
 */
export function textOfPattern(source: string): string | undefined {
  const pattern = patternOf(source)
  if (!pattern) return undefined
  const reading: Reading = { source, at: 0 }
  const text = choicesOf(reading)
  const isWhole = text !== undefined && reading.at === source.length
  return isWhole && text.length <= LENGTH_MAX && pattern.test(text) ? text : undefined
}

function patternOf(source: string): RegExp | undefined {
  try {
    return new RegExp(source, 'u')
  } catch {
    return undefined
  }
}

/** A text for the first alternative that has one. */
function choicesOf(reading: Reading): string | undefined {
  let text = sequenceOf(reading)
  while (reading.source[reading.at] === '|') {
    reading.at += 1
    const other = sequenceOf(reading)
    text ??= other
  }
  return text
}

function sequenceOf(reading: Reading): string | undefined {
  const { source } = reading
  let text: string | undefined = ''
  while (reading.at < source.length && !/[|)]/.test(source[reading.at] as string)) {
    const part = partOf(reading)
    const count = countOf(reading)
    if (part === undefined || part.length * count > LENGTH_MAX) text = undefined
    else if (text !== undefined) text += part.repeat(count)
  }
  return text
}

function partOf(reading: Reading): string | undefined {
  const { source } = reading
  const rest = source.slice(reading.at)
  if (rest.startsWith('(')) {
    const opening = /^\((?:\?(?::|<[A-Za-z_]\w*>))?/.exec(rest)?.[0] as string
    const looksAround = opening === '(' && rest[1] === '?'
    reading.at += looksAround ? /^\(\?<?[=!]?/.exec(rest)![0].length : opening.length
    const text = choicesOf(reading)
    reading.at += 1
    return looksAround ? undefined : text
  }
  const token =
    /^(?:\[\^?(?:\\.|[^\]\\])*\]|\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\u.{4}|\\x..|\\.|[^])/u.exec(rest)
  reading.at += token?.[0].length ?? 1
  return characterOf(token?.[0] ?? '')
}

/** A character that a token matches; empty for an assertion. */
function characterOf(token: string): string | undefined {
  if (['^', '$', '\\b'].includes(token)) return ''
  const pattern = patternOf(`^${token}$`)
  return [...CHARACTERS, ...Array.from(token)].find((each) => pattern?.test(each))
}

/** The least count of a quantifier, but 1 if that is allowed. */
function countOf(reading: Reading): number {
  const found = /^(?:[*+?]|\{(\d+)(?:,(\d*))?\})\??/.exec(reading.source.slice(reading.at))
  if (!found) return 1
  reading.at += found[0].length
  const [, least, most] = found
  if (least === undefined) return 1
  return most === undefined ? Number(least) : Math.max(Number(least), most === '0' ? 0 : 1)
}
