// Reads the names that a file exports from its text, including types.

/** The exports of an entry point: values and types, each sorted. */
export interface EntryPoint {
  readonly values: readonly string[]
  readonly types: readonly string[]
}

const LIST = /(?:^|\n)export (type )?\{([^}]*)\}/g
const DECLARED = /(?:^|\n)export (?:async )?(const|function|class|interface|type) (\w+)/g

export function exportsOf(text: string): EntryPoint {
  const values = new Set<string>()
  const types = new Set<string>()
  for (const [, isType, list = ''] of text.matchAll(LIST))
    for (const item of list.split(',').map((each) => each.trim()))
      if (item !== '') (isType ? types : values).add(item.split(' as ').at(-1) as string)
  for (const [, kind, name = ''] of text.matchAll(DECLARED))
    (kind === 'interface' || kind === 'type' ? types : values).add(name)
  return { values: [...values].toSorted(), types: [...types].toSorted() }
}
