/** Keys in the order in which they are due. What is due at the same time comes in the order of `set`. */
export interface DueQueue {
  set(key: string, due: number): void
  delete(key: string): void
  clear(): void
  /** Up to `limit` keys that are due and accepted, in order. They stay until they are set or deleted. */
  due(now: number, limit: number, accepts: (key: string) => boolean): readonly string[]
  /** When the first accepted key is due. */
  nextDue(accepts: (key: string) => boolean): number | undefined
}

interface Entry {
  readonly key: string
  readonly due: number
  /** The number of the `set` that made this entry. */
  readonly number: number
}

const isBefore = (a: Entry, b: Entry): boolean =>
  a.due === b.due ? a.number < b.number : a.due < b.due

/** As many entries as this may be out of date, and as many again as there are keys. */
const STALE_MAX = 1_000

/** A binary heap. An entry that is out of date stays until it comes first. */
export function createDueQueue(): DueQueue {
  const current = new Map<string, Entry>()
  let heap: Entry[] = []
  let number = 0

  /** Takes entries in order until `take` says to stop, and puts them back. */
  function visit(take: (entry: Entry) => boolean): void {
    const visited: Entry[] = []
    for (let first = heap[0]; first; first = heap[0]) {
      const isCurrent = current.get(first.key) === first
      if (isCurrent && !take(first)) break
      removeFirst(heap)
      if (isCurrent) visited.push(first)
    }
    for (const entry of visited) insert(heap, entry)
  }

  return {
    set(key, due) {
      const entry = { key, due, number: number++ }
      current.set(key, entry)
      insert(heap, entry)
      if (heap.length <= 2 * current.size + STALE_MAX) return
      // Sorted, it is a heap.
      heap = [...current.values()].sort((a, b) => (isBefore(a, b) ? -1 : 1))
    },
    delete: (key) => void current.delete(key),
    clear() {
      current.clear()
      heap = []
    },
    due(now, limit, accepts) {
      const keys: string[] = []
      visit(({ key, due }) => {
        if (due > now || keys.length >= limit) return false
        if (accepts(key)) keys.push(key)
        return true
      })
      return keys
    },
    nextDue(accepts) {
      let next: number | undefined
      visit(({ key, due }) => {
        if (accepts(key)) next = due
        return next === undefined
      })
      return next
    },
  }
}

function insert(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1
  while (at > 0) {
    const above = (at - 1) >> 1
    const parent = heap[above] as Entry
    if (!isBefore(entry, parent)) break
    heap[at] = parent
    at = above
  }
  heap[at] = entry
}

function removeFirst(heap: Entry[]): void {
  const last = heap.pop() as Entry
  if (heap.length === 0) return
  let at = 0
  for (;;) {
    const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]]
    if (!left) break
    const isRight = right !== undefined && isBefore(right, left)
    const child = isRight ? right : left
    if (!isBefore(child, last)) break
    heap[at] = child
    at = 2 * at + (isRight ? 2 : 1)
  }
  heap[at] = last
}
