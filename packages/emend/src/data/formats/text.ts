/** Pieces that formats share: prompts as text or as turns, answers, other fields. */

import type { Prompt } from '@emend/edits'
import { malformed, presentField, promptField, type SourceRecord, textField, wrong } from '../fields.js'
import type { Entry } from './entry.js'
import type { Fields } from './format.js'

export type Turns = Exclude<Prompt, string>

/** The fields of a record that are not among those known; absent if there are none. */
export function rest(record: SourceRecord, known: readonly string[]): { rest?: Fields } {
  if (Object.keys(record.fields).every(field => known.includes(field))) return {}
  const others = Object.entries(record.fields).filter(([field]) => !known.includes(field))
  return { rest: Object.fromEntries(others) }
}

/** A text, or turns, or nothing at all: then the empty text. */
export function optionalPrompt(record: SourceRecord, field: string): Prompt {
  const value = Object.hasOwn(record.fields, field) ? record.fields[field] : undefined
  return typeof value === 'string' ? value : value === undefined ? '' : promptField(record, field)
}

/** Turns of a chat. @throws DataError if the field is anything else */
export function turnsField(record: SourceRecord, field: string): Turns {
  if (!Array.isArray(presentField(record, field)))
    throw wrong(record, field, 'expected turns of {role, content}', record.fields[field])
  return promptField(record, field) as Turns
}

/** The one answer that turns consist of. */
export function answer(record: SourceRecord, field: string, turns: Turns): string {
  const [only] = turns
  if (turns.length === 1 && only?.role === 'assistant') return only.content
  const got = turns.map(turn => turn.role).join(', ') || 'none'
  throw malformed(record, field, `expected one message of the assistant after the prompt, got ${got}`)
}

/** A number, or the text of one as in CSV. */
export function numberField(record: SourceRecord, field: string): number {
  const value = presentField(record, field)
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number)) throw wrong(record, field, 'expected a number', value)
  return number
}

/** AlpacaEval's and AlpacaFarm's: null or 0 where undecided, else in [1, 2]. Empty text, as in CSV, is null. */
export function preferenceField(record: SourceRecord, field: string): number | null {
  const value = presentField(record, field)
  if (value === null || value === '') return null
  const number = numberField(record, field)
  if (number === 0 || (number >= 1 && number <= 2)) return number
  throw wrong(record, field, 'expected null, 0 or a number in [1, 2]', value)
}

/** Alpaca's instruction with its input, joined by an empty line. */
export function instructed(record: SourceRecord): { prompt: string; form?: { input: string } } {
  const instruction = textField(record, 'instruction')
  const input = record.fields['input']
  if (input == null) return { prompt: instruction }
  const text = textField(record, 'input')
  return { prompt: text === '' ? instruction : `${instruction}\n\n${text}`, form: { input: text } }
}

/** The other way: an instruction, and the input it came with. */
export function instructionOf(prompt: string, form: Entry['form']): { instruction: string; input?: string } {
  const input = form?.['input']
  if (typeof input !== 'string') return { instruction: prompt }
  if (input !== '' && prompt.endsWith(`\n\n${input}`)) return { instruction: prompt.slice(0, -input.length - 2), input }
  return { instruction: prompt, input: '' }
}

/** The text of a prompt that is one: plain, or a single turn of the user. */
export function plainPrompt(prompt: Prompt): string | undefined {
  if (typeof prompt === 'string') return prompt
  return prompt.length === 1 && prompt[0]!.role === 'user' ? prompt[0]!.content : undefined
}

/** Why {@link plainPrompt} has none. */
export const SEVERAL_TURNS = 'its prompt is a conversation of several turns'

/** A prompt as turns: text is what the user said. */
export const turnsOf = (prompt: Prompt): Turns =>
  typeof prompt === 'string' ? (prompt === '' ? [] : [{ role: 'user', content: prompt }]) : prompt

/** The turn of an answer. */
export const assistant = (content: string): Turns => [{ role: 'assistant', content }]

/** What was preferred to what: the final to the draft; undefined where it is undecided. */
export function chosenAndRejected(entry: Entry): { chosen: string; rejected: string } | undefined {
  if (entry.kind === 'edit') return { chosen: entry.final, rejected: entry.draft }
  if (entry.kind !== 'preference') return undefined
  const { first, second, preference } = entry
  if (!preference || preference === 1.5) return undefined
  return preference < 1.5 ? { chosen: first, rejected: second } : { chosen: second, rejected: first }
}

/** Why {@link chosenAndRejected} has none. */
export const UNDECIDED = 'neither response is preferred'
