import type { ReactNode, SubmitEvent } from 'react'
import { Fragment, useEffect, useRef } from 'react'
import { useMedia } from '../frame/use-media.ts'
import type { Filter } from '../route/route.ts'
import { filterFrom, localTimeText } from './filter.ts'

/** A field of a filter. */
export interface FilterField {
  readonly name: string
  readonly label: string
  /** `time` is shown as local time and sent in milliseconds since 1970. */
  readonly kind: 'text' | 'number' | 'time' | 'choice'
  /** The choices; the first has an empty value, which means all. */
  readonly choices?: readonly (readonly [value: string, name: string])[]
}

interface Props {
  readonly fields: readonly FilterField[]
  readonly filter: Filter
  readonly changed: (filter: Filter) => void
}

/** The filter of a list. On a narrow screen it is folded while it is empty. */
export function FilterForm(props: Props): ReactNode {
  const isHand = useMedia('(max-width: 760px)')
  if (!isHand) return <Form {...props} />
  return (
    <details className="filter-fold" open={Object.keys(props.filter).length > 0}>
      <summary>Filter</summary>
      <Form {...props} />
    </details>
  )
}

/** Text is applied with Enter or the button, a choice at once. */
function Form({ fields, filter, changed }: Props): ReactNode {
  const form = useRef<HTMLFormElement>(null)
  const shown = JSON.stringify(
    fields.map((field) => [field.name, valueOf(field, filter), field.choices?.length]),
  )
  // Sets the inputs from the filter without replacing them, so that the focus stays.
  useEffect(() => {
    for (const [name, value] of JSON.parse(shown) as readonly (readonly [string, string])[]) {
      const input = form.current?.elements.namedItem(name)
      if (input instanceof HTMLInputElement || input instanceof HTMLSelectElement)
        input.value = value
    }
  }, [shown])
  const clear = (): void => {
    form.current?.querySelector<HTMLElement>('input, select')?.focus()
    changed({})
  }
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault()
    changed(filterFrom(fields, new FormData(event.currentTarget)))
  }
  const isNarrowed = Object.keys(filter).length > 0
  const firstTime = fields.findIndex(({ kind }) => kind === 'time')
  return (
    <form className="filter" role="search" aria-label="Filter" ref={form} onSubmit={submit}>
      {fields.map((field, index) => (
        <Fragment key={field.name}>
          {fields.length > 3 && index === firstTime && <span className="filter-break" />}
          <label className="filter-field" data-kind={field.kind}>
            <span>{field.label}</span>
            <FieldInput field={field} />
          </label>
        </Fragment>
      ))}
      <div className="filter-actions">
        <button type="submit" className="button button-small">
          Apply
        </button>
        {isNarrowed && (
          <button type="button" className="button button-small" onClick={clear}>
            Clear
          </button>
        )}
      </div>
    </form>
  )
}

function valueOf({ name, kind }: FilterField, filter: Filter): string {
  const value = filter[name] ?? ''
  return kind === 'time' ? localTimeText(value) : value
}

function FieldInput({ field: { name, kind, choices = [] } }: { field: FilterField }): ReactNode {
  if (kind === 'choice')
    return (
      <select
        name={name}
        className="field"
        onChange={({ currentTarget }) => currentTarget.form?.requestSubmit()}
      >
        {choices.map(([choice, text]) => (
          <option key={choice} value={choice}>
            {text}
          </option>
        ))}
      </select>
    )
  if (kind === 'time') return <input name={name} className="field" type="datetime-local" step={1} />
  return (
    <input
      name={name}
      className="field"
      type="text"
      inputMode={kind === 'number' ? 'numeric' : 'text'}
      pattern={kind === 'number' ? '[0-9]{1,15}' : undefined}
      title={kind === 'number' ? 'A whole number' : undefined}
      autoComplete="off"
      spellCheck={false}
    />
  )
}
