/** Langfuse's corrected outputs: traces or observations with their scores, one of which is a correction. Read only. */

import {
  asRecord,
  malformed,
  optionalText,
  presentField,
  promptField,
  type SourceRecord,
  textField,
  timeField,
  wrong,
} from '../fields.js'
import type { EditEntry } from './entry.js'
import type { Format } from './format.js'

export const langfuse: Format = {
  name: 'langfuse',
  about: "Langfuse's traces or observations, {input, output, scores}, with a score of dataType CORRECTION",
  container: 'jsonl',
  carries: {},
  detect: ({ input, output, scores }) => input !== undefined && output !== undefined && Array.isArray(scores),
  read(record) {
    const scores = presentField(record, 'scores')
    if (!Array.isArray(scores)) throw wrong(record, 'scores', 'expected a list', scores)
    const corrections = scores
      .map(score => asRecord(score, record.file, record.line))
      .filter(({ fields }) => fields['dataType'] === 'CORRECTION')
    if (corrections.length === 0) return 'no correction'
    return corrections.map(score => corrected(record, score))
  },
}

function corrected(record: SourceRecord, score: SourceRecord): EditEntry {
  const on = score.fields['observationId']
  const of = on == null || on === record.fields['id'] ? record : observation(record, on)
  const at = timeField(score, 'updatedAt') ?? timeField(score, 'timestamp')
  const author = optionalText(score, 'authorUserId')
  return {
    kind: 'edit',
    prompt: input(of),
    draft: output(of),
    // Before version 3 of its interface the text stood in stringValue and value was 0.
    final: typeof score.fields['value'] === 'string' ? score.fields['value'] : textField(score, 'stringValue'),
    ...(author !== undefined && { by: { kind: 'person', name: author } }),
    ...(at !== undefined && { at }),
  }
}

function observation(record: SourceRecord, id: unknown): SourceRecord {
  const list = record.fields['observations']
  const found = Array.isArray(list) ? list.find(one => one?.id === id) : undefined
  if (!found) throw wrong(record, 'observations', `expected the observation ${String(id)} that was corrected`, list)
  return asRecord(found, record.file, record.line)
}

function input(record: SourceRecord) {
  const value = presentField(record, 'input')
  const messages = (value as { messages?: unknown } | null)?.messages
  return promptField(messages === undefined ? record : { ...record, fields: { input: messages } }, 'input')
}

/** Text, or an assistant's message. */
function output(record: SourceRecord): string {
  const value = presentField(record, 'output') as { role?: unknown; content?: unknown } | string | null
  if (typeof value === 'string') return value
  if (value && typeof value === 'object' && typeof value.content === 'string') return value.content
  if (value && typeof value === 'object' && Array.isArray(value.content))
    throw malformed(record, 'output', 'content in parts; join their texts into one, and leave out what has no text')
  throw wrong(record, 'output', 'expected text or a message of {role, content: text}', value)
}
