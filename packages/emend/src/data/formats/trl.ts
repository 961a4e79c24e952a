/** TRL's preferences: `{prompt, chosen, rejected}`, texts or turns; and with the prompt inside both sides. */

import type { Prompt } from '@emend/edits'
import { promptField, type SourceRecord, textField } from '../fields.js'
import type { Format } from './format.js'
import { answer, assistant, chosenAndRejected, rest, type Turns, turnsField, turnsOf, UNDECIDED } from './text.js'

const CARRIES = {
  preference: ['prompt', 'chat', 'responses', 'rest'],
  edit: ['prompt', 'chat', 'draft', 'final'],
} as const

/** https://huggingface.co/docs/trl/dataset_formats#preference, explicit prompt. */
export const trlPreference: Format = {
  name: 'trl-preference',
  about: "TRL's {prompt, chosen, rejected}: texts, or turns of a conversation",
  container: 'jsonl',
  carries: CARRIES,
  detect: ({ prompt, chosen, rejected }) =>
    (typeof prompt === 'string' && typeof chosen === 'string' && typeof rejected === 'string') ||
    (Array.isArray(prompt) && Array.isArray(chosen) && Array.isArray(rejected)),
  read(record) {
    const prompt = promptField(record, 'prompt')
    const side = (field: string) =>
      typeof prompt === 'string' ? textField(record, field) : answer(record, field, turnsField(record, field))
    return {
      kind: 'preference',
      prompt,
      first: side('chosen'),
      second: side('rejected'),
      preference: 1,
      ...rest(record, ['prompt', 'chosen', 'rejected']),
    }
  },
  write(entry) {
    const pair = chosenAndRejected(entry)
    if (!pair) return UNDECIDED
    const { prompt, rest } = entry
    if (typeof prompt === 'string') return { ...rest, prompt, ...pair }
    return { ...rest, prompt, chosen: assistant(pair.chosen), rejected: assistant(pair.rejected) }
  },
}

/** https://huggingface.co/docs/trl/dataset_formats#preference, implicit prompt: what both sides begin with. */
export const trlImplicit: Format = {
  name: 'trl-preference-implicit',
  about: "TRL's {chosen, rejected} with the prompt in both: what they begin with",
  container: 'jsonl',
  carries: CARRIES,
  detect: ({ prompt, chosen, rejected }) =>
    prompt === undefined &&
    ((typeof chosen === 'string' && typeof rejected === 'string') ||
      (Array.isArray(chosen) && Array.isArray(rejected))),
  read: record => ({
    kind: 'preference',
    ...(Array.isArray(record.fields['chosen']) ? splitTurns(record) : splitTexts(record)),
    preference: 1,
    ...rest(record, ['chosen', 'rejected']),
  }),
  write(entry) {
    const pair = chosenAndRejected(entry)
    if (!pair) return UNDECIDED
    const { prompt, rest } = entry
    if (typeof prompt === 'string') return { ...rest, chosen: prompt + pair.chosen, rejected: prompt + pair.rejected }
    const turns = turnsOf(prompt)
    return {
      ...rest,
      chosen: [...turns, ...assistant(pair.chosen)],
      rejected: [...turns, ...assistant(pair.rejected)],
    }
  },
}

interface Split {
  readonly prompt: Prompt
  readonly first: string
  readonly second: string
}

/** As TRL's `extract_prompt` cuts texts: before the first difference, and before the space in front of it. */
function splitTexts(record: SourceRecord): Split {
  const chosen = textField(record, 'chosen')
  const rejected = textField(record, 'rejected')
  if (chosen === rejected) return { prompt: '', first: chosen, second: rejected }
  let at = 0
  while (at < chosen.length && chosen[at] === rejected[at]) at++
  // Never between the halves of a surrogate pair.
  if (at > 0 && /[\ud800-\udbff]/.test(chosen[at - 1]!)) at--
  if (chosen[at - 1] === ' ') at--
  return { prompt: chosen.slice(0, at), first: chosen.slice(at), second: rejected.slice(at) }
}

/** Turns: those that both sides begin with, and one answer after them. */
export function splitTurns(record: SourceRecord): Split & { prompt: Turns } {
  const chosen = turnsField(record, 'chosen')
  const rejected = turnsField(record, 'rejected')
  let at = 0
  const last = Math.min(chosen.length, rejected.length) - 1
  while (at < last && chosen[at]!.role === rejected[at]!.role && chosen[at]!.content === rejected[at]!.content) at++
  return {
    prompt: chosen.slice(0, at),
    first: answer(record, 'chosen', chosen.slice(at)),
    second: answer(record, 'rejected', rejected.slice(at)),
  }
}
