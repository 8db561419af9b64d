import type { ReactNode, SubmitEvent } from 'react'
import { useMedia } from '../frame/use-media.ts'
import type { Filter } from '../route/route.ts'
import { filterFrom, localText } from './filter.ts'

/** One thing that a list can be narrowed by. */
export interface FilterField {
  readonly name: string
  readonly label: string
  /** `time`: an instant, shown as local time and asked for in milliseconds. */
  readonly kind: 'text' | 'number' | 'time' | 'choice'
  /** What can be chosen; the first one is everything, by an empty value. */
  readonly choices?: readonly (readonly [value: string, name: string])[]
}

interface Props {
  readonly fields: readonly FilterField[]
  readonly filter: Filter
  readonly changed: (filter: Filter) => void
}

/** On a narrow screen it is folded while it narrows nothing. */
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

/** Applied with Enter or the button; a choice at once. */
function Form({ fields, filter, changed }: Props): ReactNode {
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault()
    changed(filterFrom(fields, new FormData(event.currentTarget)))
  }
  const isNarrowed = Object.keys(filter).length > 0
  return (
    <form
      className="filter"
      role="search"
      aria-label="Filter"
      // What is shown is what counts, however it came there.
      key={JSON.stringify(filter)}
      onSubmit={submit}
    >
      {fields.map((field) => (
        <label key={field.name} className="filter-field" data-kind={field.kind}>
          <span>{field.label}</span>
          <FieldInput field={field} value={filter[field.name] ?? ''} />
        </label>
      ))}
      <div className="filter-actions">
        <button type="submit" className="button button-small">
          Apply
        </button>
        {isNarrowed && (
          <button type="button" className="button button-small" onClick={() => changed({})}>
            Clear
          </button>
        )}
      </div>
    </form>
  )
}

function FieldInput({ field, value }: { field: FilterField; value: string }): ReactNode {
  const { name, kind, choices = [] } = field
  if (kind === 'choice')
    return (
      <select
        name={name}
        className="field"
        defaultValue={value}
        onChange={({ currentTarget }) => currentTarget.form?.requestSubmit()}
      >
        {choices.map(([choice, text]) => (
          <option key={choice} value={choice}>
            {text}
          </option>
        ))}
      </select>
    )
  if (kind === 'time')
    return (
      <input
        name={name}
        className="field"
        type="datetime-local"
        step={1}
        defaultValue={localText(value)}
      />
    )
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
      defaultValue={value}
    />
  )
}
