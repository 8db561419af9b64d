// Finds import cycles between files. Type-only imports count: whoever reads one file of a cycle has
// to read them all.
import type { SourceFile } from './modules.ts'
import { importsOf, resolvePath } from './modules.ts'

/** The files of each cycle, sorted; one entry for each strongly connected component (Tarjan, 1972). */
export function importCycles(files: readonly SourceFile[]): readonly (readonly string[])[] {
  const graph = graphOf(files)
  const indexes = new Map<string, number>()
  const stack: string[] = []
  const cycles: string[][] = []

  const visit = (path: string): number => {
    const index = indexes.size
    indexes.set(path, index)
    stack.push(path)
    let low = index
    for (const next of graph.get(path) ?? []) {
      if (!indexes.has(next)) low = Math.min(low, visit(next))
      else if (stack.includes(next)) low = Math.min(low, indexes.get(next) ?? low)
    }
    if (low === index) {
      const component = stack.splice(stack.indexOf(path))
      if (component.length > 1 || graph.get(path)?.has(path)) cycles.push(component.toSorted())
    }
    return low
  }

  for (const path of graph.keys()) if (!indexes.has(path)) visit(path)
  return cycles.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1))
}

function graphOf(files: readonly SourceFile[]): ReadonlyMap<string, ReadonlySet<string>> {
  const paths = new Set(files.map(({ path }) => path))
  return new Map(
    files.map(({ path, text }) => {
      const targets = importsOf(text)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => resolvePath(path, specifier))
      return [path, new Set(targets.filter((target) => paths.has(target)))]
    }),
  )
}
