// What the command line prints about dead letters.
import { printable } from '../../base/text/printable.ts'
import type { DeadLetterEntry, RedrivePreview } from '../../control/views.ts'
import { countText, manyText, timeText } from '../terminal/format.ts'
import { untilText } from './listing.ts'

/** A dead letter with its error and its data. */
export function deadLetterDetails(letter: DeadLetterEntry, now: number): readonly string[] {
  const { consumer, key, event, attempts, failedAt, error, cause, heldBehind } = letter
  const { id, type, topic, partition, offset, at } = event
  const { isSkipped, redriveAt, edit, data } = letter
  const waits =
    heldBehind === 0 ? 'Nothing waits behind it.' : `${manyText(heldBehind, 'event')} behind it.`
  const facts = [
    `${type} ${id} at ${consumer}`,
    `Key ${key}, at ${topic}/${partition}@${offset}, created at ${timeText(at)}.`,
    `Failed at ${timeText(failedAt)}, after ${manyText(attempts, 'attempt')}. Cause: ${cause}`,
    isSkipped ? `${waits} Later events of its key went on without it.` : waits,
    ...(redriveAt === undefined ? [] : [`Redriven automatically ${untilText(redriveAt, now)}.`]),
    ...(edit ? [`Edited by ${edit.by} at ${timeText(edit.at)}: ${edit.reason}`] : []),
    error.code === undefined ? 'Error:' : `Error ${error.code}:`,
  ]
  const stack = (error.stack ?? error.message).split('\n').map((line) => `  ${line}`)
  return [...facts, ...stack, 'Data:', ...dataLines(data)].map(printable)
}

function dataLines(data: string | null): readonly string[] {
  if (data === null) return ['  null']
  try {
    const text = JSON.stringify(JSON.parse(data), undefined, 2)
    return text.split('\n').map((line) => `  ${line}`)
  } catch {
    return [`  ${data}`]
  }
}

const KEYS_SHOWN = 5

/** What a redrive or a discard would do. */
export function previewLines(
  { letters, keys, heldBehind, outOfOrder, effectsRepeated }: RedrivePreview,
  verb: 'redrive' | 'discard',
): readonly string[] {
  if (letters === 0) return ['No dead letters match.']
  const named = keys.slice(0, KEYS_SHOWN).map(({ consumer, key }) => `${consumer} ${key}`)
  const more = letters > named.length ? ` and ${countText(letters - named.length)} more` : ''
  const isRedrive = verb === 'redrive'
  return [
    `${manyText(letters, 'dead letter')}: ${named.join(', ')}${more}.`,
    `${manyText(heldBehind, 'event')} behind them.`,
    ...(isRedrive && outOfOrder > 0
      ? [`${countText(outOfOrder)} come out of order: later events of their key went on.`]
      : []),
    ...(isRedrive && effectsRepeated > 0
      ? [
          `${countText(effectsRepeated)} are at handlers, whose effects outside are attempted again ` +
            'with the same effect key.',
        ]
      : []),
  ].map(printable)
}
