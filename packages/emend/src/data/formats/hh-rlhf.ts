/** Anthropic's HH-RLHF: whole dialogues as text, alike up to the last answer (Bai et al. 2022, arXiv 2204.05862). */

import { type SourceRecord, textField, wrong } from '../fields.js'
import type { Format } from './format.js'
import { chosenAndRejected, rest, type Turns, turnsOf, UNDECIDED } from './text.js'

const ANSWER = '\n\nAssistant:'

export const hhRlhf: Format = {
  name: 'hh-rlhf',
  about: 'HH-RLHF: {chosen, rejected}, whole dialogues of "\\n\\nHuman: …\\n\\nAssistant: …"',
  container: 'jsonl',
  carries: { preference: ['prompt', 'chat', 'responses', 'rest'], edit: ['prompt', 'chat', 'draft', 'final'] },
  detect: ({ chosen, rejected }) =>
    [chosen, rejected].every(
      text => typeof text === 'string' && text.startsWith('\n\nHuman:') && text.includes(ANSWER),
    ),
  read(record) {
    const chosen = textField(record, 'chosen')
    const rejected = textField(record, 'rejected')
    const at = lastAnswer(record, 'chosen', chosen)
    if (lastAnswer(record, 'rejected', rejected) !== at || chosen.slice(0, at) !== rejected.slice(0, at))
      throw wrong(record, 'rejected', 'expected the dialogue of chosen up to the last answer', rejected)
    const answer = (text: string) => text.slice(at + ANSWER.length).replace(/^ /, '')
    return {
      kind: 'preference',
      prompt: turnsIn(chosen.slice(0, at)),
      first: answer(chosen),
      second: answer(rejected),
      preference: 1,
      ...rest(record, ['chosen', 'rejected']),
    }
  },
  write(entry) {
    const pair = chosenAndRejected(entry)
    if (!pair) return UNDECIDED
    const turns = turnsOf(entry.prompt)
    if (turns.some(turn => turn.role === 'system')) return 'it has a system turn'
    const texts = [...turns.map(turn => turn.content), pair.chosen, pair.rejected]
    if (texts.some(text => /\n\n(Human|Assistant):/.test(text))) return 'a text holds the marks between turns'
    const dialogue = turns
      .map(({ role, content }) => `\n\n${role === 'user' ? 'Human' : 'Assistant'}: ${content}`)
      .join('')
    const side = (text: string) => `${dialogue}${ANSWER} ${text}`
    return { ...entry.rest, chosen: side(pair.chosen), rejected: side(pair.rejected) }
  },
}

function lastAnswer(record: SourceRecord, field: string, dialogue: string): number {
  const at = dialogue.lastIndexOf(ANSWER)
  if (!dialogue.startsWith('\n\nHuman:') || at < 0)
    throw wrong(record, field, 'expected a dialogue of "\\n\\nHuman: …\\n\\nAssistant: …"', dialogue)
  return at
}

function turnsIn(dialogue: string): Turns {
  const pieces = dialogue.split(/\n\n(Human|Assistant):/).slice(1)
  const turns: Turns[number][] = []
  for (let i = 0; i < pieces.length; i += 2)
    turns.push({ role: pieces[i] === 'Human' ? 'user' : 'assistant', content: pieces[i + 1]!.replace(/^ /, '') })
  return turns
}
