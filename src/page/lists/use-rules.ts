import { useLive } from '../live/live-provider.tsx'
import type { FilterField } from './filter-form.tsx'

/** A filter field with the running rules as choices. */
export function useRules(name: string, label: string, kind?: 'saga'): FilterField {
  const { overview } = useLive()
  const rules = (overview?.services ?? []).flatMap((service) =>
    service.rules
      .filter((rule) => kind === undefined || rule.kind === kind)
      .map((rule) => `${service.name}/${rule.name}`),
  )
  return {
    name,
    label,
    kind: 'choice',
    choices: [['', 'All'], ...rules.map((rule) => [rule, rule] as const)],
  }
}
