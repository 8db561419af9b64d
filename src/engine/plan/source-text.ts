/** A regular expression; a slash in a class does not end it. */
const REGEX = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/[\\\n])+\/\w*/y

/** Everything else, one token at a time. Groups: space, comment, string, word. */
const TOKEN =
  /(\s+)|(\/\/[^\n\r\u2028\u2029]*|\/\*[^]*?\*\/)|("(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*')|((?:\d|\.\d)[\w.]*|[\w$#@\\\u0080-\u{10ffff}]+)|=>|\+\+|--|\.\.\.|\?\.(?!\d)|[^]/uy

/** The text of a template up to its end, or up to the next embedded code. */
const TEMPLATE = /(?:\\[^]|\$(?!\{)|[^`\\$])*(`|\$\{)/y

/** Words after which a slash begins a regular expression. */
const OPERATORS = new Set(
  'case delete do else in instanceof new return throw typeof void'.split(' '),
)
/** Words whose parentheses are followed by a statement, which may begin with a regular expression. */
const HEADS = new Set(['for', 'if', 'while', 'with'])

/** Tokens after which a slash may divide or begin a regular expression, depending on the context. */
const AMBIGUOUS = new Set(['}', 'await', 'of', 'yield'])
/** A line ends at any of these. */
const LINE_END = /[\n\r\u2028\u2029]/

const WORD = /^[\w$#@\\\u0080-\u{10ffff}]/u
const CLOSING = new Set([')', ']', '}'])

/**
 * Normalizes the source text of a function: without comments, white space, trailing commas and the
 * parentheses of a single parameter, and with one kind of quotes. Texts with different meanings never
 * get the same form; where it is ambiguous whether a slash begins a regular expression, the text is
 * returned unchanged.
 */
export function normalizeSource(text: string): string {
  const tokens = tokensOf(text)
  return tokens ? formOf(tokens).join(' ') : text
}

/** A line break between tokens is kept only where it may end a statement. */
const NEW_LINE = '\n'

function tokensOf(text: string): readonly string[] | undefined {
  const tokens: string[] = []
  /** The token before each open bracket, or `template` for code embedded in a template. */
  const open: string[] = []
  let [at, last, before] = [0, '', '']
  let isAfterHead = false
  let hasNewLine = false
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found) at = pattern.lastIndex
    return found
  }
  const push = (token: string): void => {
    if (hasNewLine && mayEndAt(last, token)) tokens.push(NEW_LINE)
    hasNewLine = false
    tokens.push(token)
    before = last
    last = token
  }
  const template = (): boolean => {
    const begin = at
    const found = take(TEMPLATE)
    if (!found) return false
    push(text.slice(begin - 1, at))
    if (found[1] === '${') open.push('template')
    return true
  }
  while (at < text.length) {
    const isSlash = text[at] === '/' && text[at + 1] !== '/' && text[at + 1] !== '*'
    if (isSlash && AMBIGUOUS.has(last)) return undefined
    if (isSlash && beginsRegex(last, before, isAfterHead)) {
      const found = take(REGEX)
      if (!found) return undefined
      push(found[0])
      continue
    }
    const [token = '', space, comment, string] = take(TOKEN) ?? []
    if (space !== undefined || comment !== undefined) {
      hasNewLine ||= LINE_END.test(token)
      continue
    }
    if (token === '`' || (token === '}' && open.at(-1) === 'template')) {
      if (token === '}') open.pop()
      if (!template()) return undefined
      continue
    }
    // A quote without its end.
    if (token === '"' || token === "'") return undefined
    if (token === '(' || token === '[' || token === '{')
      open.push(before === '.' || before === '?.' ? '' : last)
    if (CLOSING.has(token)) isAfterHead = token === ')' && HEADS.has(open.at(-1) ?? '')
    if (CLOSING.has(token)) open.pop()
    push(string === undefined ? token : quoted(token))
  }
  return open.length === 0 ? tokens : undefined
}

function beginsRegex(last: string, before: string, isAfterHead: boolean): boolean {
  if (last === '' || last.endsWith('${')) return true
  if (last === ')') return isAfterHead
  if (last === ']' || last === '++' || last === '--') return false
  if (WORD.test(last)) return OPERATORS.has(last) && before !== '.' && before !== '?.'
  // A string, a template or a regular expression is a value.
  return !/^["'`/}]/.test(last) || last === '/'
}

/** Whether a line break between two tokens may change the meaning. */
function mayEndAt(last: string, next: string): boolean {
  if (last === '++' || last === '--' || next === '++' || next === '--') return true
  if (!WORD.test(last)) return false
  return WORD.test(next) || /^(?:async|break|continue|return|throw|yield)$/.test(last)
}

/** A string in double quotes. */
function quoted(token: string): string {
  const inner = token.slice(1, -1).replace(/\\[^]|"/g, (part) => {
    if (part === "\\'") return "'"
    return part === '"' ? '\\"' : part
  })
  return `"${inner}"`
}

function formOf(tokens: readonly string[]): readonly string[] {
  return tokens.filter((token, at) => {
    const [former = '', next = '', third = ''] = [tokens[at - 1], tokens[at + 1], tokens[at + 2]]
    // `[,]` and `[a,,]` have holes, so that each comma counts.
    if (token === ',') return !(CLOSING.has(next) && former !== '[' && former !== ',')
    if (token === ';') return next !== '}'
    // `(a) => …` is `a => …`.
    if (token === '(') return !(WORD.test(next) && third === ')' && tokens[at + 3] === '=>')
    const isOfOne = token === ')' && next === '=>' && tokens[at - 2] === '('
    return !(isOfOne && WORD.test(former))
  })
}
